"""Draw the pictures of docs/concepts.md, from real images, views, batches, measurements and fronts.

python -m docs.pictures    # rewrites docs/pictures/
"""

import json
from collections.abc import Iterator, Mapping
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dcodr.augmentations.names import AUGMENTATIONS
from dcodr.augmentations.views import Augment
from dcodr.data.dataset import FactorDataset
from dcodr.data.prepare import prepare_synthetic
from dcodr.data.store import open_store
from dcodr.evaluation.embed import float_images
from dcodr.files import appearing, default_store
from dcodr.palette import BLUE, GREY, ORANGE
from dcodr.training.sampler import DomainBatchSampler
from tuning.pareto import Direction, best_tradeoff, hypervolume, non_dominated

HERE = Path(__file__).parent
RECORD = HERE.parent / "benchmarks" / "search_efficiency" / "records" / "embedded" / "trainings.jsonl"
CPU = torch.device("cpu")
PAIR: tuple[Direction, Direction] = ("maximize", "maximize")


def main() -> None:
    """Draw all of them."""
    store = default_store("synthetic")
    if not store.exists():
        prepare_synthetic(store)
    data = open_store(store)
    metrics = {
        "augmentations": draw_augmentations(data, data.indices("train")[20]),
        "batch": draw_batch(data),
        "probes": draw_probes(),
        "front": draw_front(),
    }
    for name, figure in metrics.items():
        with appearing(HERE / "pictures" / f"{name}.png") as temporary:
            figure.savefig(temporary, format="png", dpi=110)


def draw_augmentations(data: FactorDataset, index: int) -> Figure:
    """Draw an image beside a view by each augmentation, at the paper's strengths."""
    names = [name for name in AUGMENTATIONS if name != "simsiam"]
    figure = Figure(figsize=(9, 3.1), layout="constrained")
    panels = figure.subplots(2, 7).flat
    _show(next(panels), data.images[index], "the image", BLUE)
    image = float_images(data.images, np.array([index]), CPU)
    for seed, (axes, name) in enumerate(zip(panels, names, strict=True)):
        view = Augment((name,))(image, torch.Generator().manual_seed(seed))
        _show(axes, view[0].permute(1, 2, 0).numpy(), name)
    return figure


def draw_batch(data: FactorDataset, n: int = 7) -> Figure:
    """Draw an anchor, its positive view, its negatives, and the remaining images of the batch."""
    train = data.indices("train")
    batch = train[next(iter(DomainBatchSampler(data.domain[train], 2, n, seed=1)))]
    anchor, view = batch[0], Augment(("crop",))(float_images(data.images, batch[:1], CPU), _generator())
    figure = Figure(figsize=(9, 2.9), layout="constrained")
    grid = figure.subplots(2, n + 1)
    _show(grid[0, 0], data.images[anchor], "anchor", BLUE)
    _show(grid[0, 1], view[0].permute(1, 2, 0).numpy(), "positive view", BLUE)
    for axes, index in zip(grid[0, 2:], batch[1:n], strict=True):
        _show(axes, data.images[index], "negative", ORANGE)
    for axes, index in zip(grid[1, 1:], batch[n:], strict=True):
        _show(axes, data.images[index], "no part", GREY)
    grid[1, 0].set_axis_off()
    grid[1, 0].text(0.5, 0.5, "another\ndomain", ha="center", va="center", color=GREY)
    return figure


def draw_probes() -> Figure:
    """Draw the probes' accuracies on the codes of two systems, from the Cars3D table of docs/results.md."""
    table = dict(measured_systems())
    figure = Figure(figsize=(7.4, 2.9), layout="constrained")
    axes = figure.subplots()
    for row, (factor, chance) in enumerate(table["chance"].items()):
        axes.plot([chance, 1], [row, row], color="#D0D0D0", lw=6, solid_capstyle="butt", zorder=0)
        axes.text(chance, row + 0.33, "chance", ha="center", va="center", fontsize=8, color=GREY)
        for system, color in (("simclr", ORANGE), ("dcodr_norec", BLUE)):
            label = _summary(system, table[system], table["chance"]) if not row else None
            axes.scatter(table[system][factor], row, s=70, color=color, label=label, zorder=2)
    axes.set_yticks(range(4), ["domain: which car", *list(table["chance"])[1:]])
    axes.set(xlim=(-0.03, 1.02), ylim=(3.6, -0.6), xlabel="accuracy of a probe on codes of test images")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper left", frameon=False)
    return figure


def draw_front() -> Figure:
    """Draw recorded trainings as points, with front, best trade-off and hypervolume."""
    runs = [run for run in map(json.loads, RECORD.read_text().splitlines()) if run["seed"] == 0]
    points = np.array([_reached(run) for run in runs if run["epochs"] and not run["failure"]])
    on_front = non_dominated(points, PAIR)
    front = points[on_front][points[on_front][:, 0].argsort()]
    best = front[best_tradeoff(front, [0, 0], PAIR)]
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    x, y = np.concatenate([[0], front[:, 0]]), np.concatenate([front[:1, 1], front[:, 1]])
    volume = hypervolume(front, [0, 0], PAIR)
    axes.fill_between(x, y, step="pre", color=BLUE, alpha=0.12, lw=0, label=f"hypervolume: {volume:.3f}")
    rest = points[~on_front]
    axes.scatter(rest[:, 0], rest[:, 1], s=16, color=GREY, label="dominated")
    axes.scatter(front[:, 0], front[:, 1], s=34, color=BLUE, marker="D", label="front")
    # The box that the best trade-off dominates by itself.
    axes.add_patch(Rectangle((0, 0), *best, fill=False, edgecolor=ORANGE, linestyle=":", linewidth=1.2))
    axes.scatter(best[0], best[1], s=190, color=ORANGE, marker="*", zorder=3, label="best trade-off")
    axes.set(xlabel="invariance", ylabel="informativeness", xlim=(0, 1.02), ylim=(0, 1))
    axes.legend(loc="lower left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def measured_systems() -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the accuracies of every system, and of chance, in the first table of docs/results.md."""
    lines = iter((HERE / "results.md").read_text(encoding="utf-8").splitlines())
    rows = takewhile(
        lambda line: line.startswith("|"), dropwhile(lambda line: not line.startswith("|"), lines)
    )
    table = [[cell.strip(" *") for cell in line.split("|")[1:-1]] for line in rows]
    for system, *cells in table[2:]:
        yield system, dict(zip(table[0][1:5], map(float, cells[:4]), strict=True))


def _summary(system: str, accuracy: Mapping[str, float], chance: Mapping[str, float]) -> str:
    """Return invariance and informativeness from the accuracies; pose is derived and does not count."""
    skill = {factor: (accuracy[factor] - least) / (1 - least) for factor, least in chance.items()}
    leak = skill.pop("domain")
    skill.pop("pose")
    informativeness = sum(skill.values()) / len(skill)
    return f"{system}: invariance {1 - leak:.2f}, informativeness {informativeness:.2f}"


def _reached(run: Mapping[str, Any]) -> tuple[float, float]:
    last = run["epochs"][-1]
    return last["invariance"], last["informativeness"]


def _show(axes: Axes, image: npt.NDArray[Any], title: str, color: str = "white") -> None:
    axes.imshow(image)
    axes.set_title(title, fontsize=8, pad=3)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color=color, linewidth=2.5)


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


if __name__ == "__main__":
    main()
