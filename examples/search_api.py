"""A search from Python: run it, read its front, train and test the best trade-off, use its codes.

python examples/search_api.py    # half a minute on two cores; writes data/, runs/, best/ and trained/
"""

from pathlib import Path

import torch

import dcodr
from dcodr.config import read_config
from dcodr.data.remote import open_dataset
from dcodr.evaluation.embed import embed
from dcodr.files import CHECKPOINT
from tuning import Search, load_space, run_search
from tuning.results.export import export

SPACES = Path(__file__).parents[1] / "search_spaces"


def search() -> Search:
    """Search a space file, with some of it replaced, as ``tune.py`` does with ``--set`` and ``--trials``."""
    space = load_space(SPACES / "quick.yaml", settings={"generator_lr": 1e-3}, search={"trials": 2})
    return run_search(space, storage="runs")


def show(found: Search) -> None:
    """Print the trials that no other one dominates, and what they reach."""
    results = found.results()
    for trial in results.front:
        figures = ", ".join(f"{name} {value:.3f}" for name, value in results.objectives(trial).items())
        print(f"trial {trial.number:03d}: {figures}; {trial.readable}")


def train(config_file: Path, folder: Path) -> None:
    """Train an exported config again; its figures on the validation images are those that it carries."""
    config, provenance = read_config(config_file)
    trained = dcodr.fit(config, open_dataset(config), checkpoint=folder / CHECKPOINT)
    print("reproduced exactly:", trained.report.figures == provenance["validation"])


def test(config_file: Path, folder: Path) -> None:
    """Measure the encoder on the test images under the paper's probe, and embed them."""
    config, _ = read_config(config_file)
    data, encoder = open_dataset(config), dcodr.load(folder)
    report = dcodr.evaluate(encoder, data, "test", seed=config.seed, device="cpu")
    for name in ("invariance", "informativeness"):
        low, high = report.intervals[name]
        print(f"test {name}: {report.figures[name]:.3f}, 95 % interval {low:.3f} to {high:.3f}")
    codes = embed(encoder, data.images, data.indices("test"), torch.device("cpu"))
    print("codes:", tuple(codes.shape))


if __name__ == "__main__":
    found = search()
    show(Search.open(found.name, found.folder.parent))  # as any other process could, also while it runs
    (best,) = export(found.results(), "knee", "best")
    train(best, Path("trained"))
    test(best, Path("trained"))
