"""Simulate searches that aim at the paper's settings or at the whole front, and compare what they find.

    python -m benchmarks.search_efficiency.aim --seeds 12

Every search has the baseline of ``search_spaces/augs.yaml`` as its first trial and two workers. First prints
how much there is to find: the largest gain of any point over the baseline. Then prints, after 60, 120 and 240
epochs, the gain of the best complete trial over the baseline (the smaller of the gains in the
two objectives, without noise), the number of trials that gain at least 0.005, and the hypervolume; means over
the seeds with standard errors.
"""

import argparse
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.exceptions import ConvergenceWarning

from benchmarks.search_efficiency.records import RECORDS, SPACE, read_record
from benchmarks.search_efficiency.simulator import Floats, Ours, simulate
from benchmarks.search_efficiency.surrogate import KINDS, USUAL, Surrogate
from tuning.ledger.encoding import decode
from tuning.pareto import hypervolume
from tuning.sampling.points import Point, Points
from tuning.space import Space, load_space
from tuning.space.settings import SearchSettings

AFTER = (60, 120, 240)
"""Epochs of all trials together."""
WORKERS = 2
GAIN = 0.005
BASELINE = {"paper_with": {"encoder_lr": 1e-3, "generator_lr": 3e-3}}
ROWS: dict[str, dict[str, Any]] = {
    "aim: front": {"aim": "front"},
    "aim: baseline": {"aim": "baseline"},
    "random": {"sampler": "random"},
}


def with_baseline(space: Space, change: Mapping[str, Any]) -> Space:
    """Return a space with the baseline and other settings of the search."""
    settings = {**space.search.model_dump(), "trials": AFTER[-1], "warm_start": BASELINE, **change}
    return space.model_copy(update={"search": SearchSettings.model_validate(settings)})


def headroom(surrogate: Surrogate, space: Space, seed: int = 0) -> str:
    """Search the surrogate's true objectives for the largest gain over the baseline; return it in words."""
    rng, drawn = np.random.default_rng(seed), Points(space.params)
    level = surrogate.truth([space.paper_values()])[0, -1]

    def reached_by(points: list[Point]) -> Floats:
        true: Floats = surrogate.truth([decode(space.params, point) for point in points])[:, -1]
        return true

    points = [drawn.draw(rng) for _ in range(8000)]
    reached = reached_by(points)
    better = [(reached > level + least).all(axis=1).mean() for least in (0, 0.02)]
    for _ in range(25):
        best = np.argsort(-(reached - level).min(axis=1))[:200]
        near = [drawn.change(points[i], rng) for i in rng.choice(best, 600)]
        points = [points[i] for i in best] + near
        reached = np.concatenate([reached[best], reached_by(near)])
    most = reached[(reached - level).min(axis=1).argmax()]
    deviations = np.sqrt(np.diag(surrogate.noise))[-2:]
    return (
        f"Baseline {level.round(3)}, best in both {most.round(3)}; better in both: {better[0]:.2%} of random "
        f"points, by 0.02: {better[1]:.2%}. One seed's standard deviation: {deviations.round(3)}"
    )


def search(surrogate: Surrogate, space: Space, change: Mapping[str, Any], seed: int) -> npt.NDArray[Any]:
    """Simulate one search; return ``(len(AFTER), 3)``: best gain, number of gains, hypervolume."""
    chosen = with_baseline(space, change)
    history = simulate(
        Ours(chosen, seed), surrogate, chosen, workers=WORKERS, epoch_budget=AFTER[-1], seed=seed
    )
    gains = (history.reached - surrogate.truth([chosen.paper_values()])[0, -1]).min(axis=1)
    rows = []
    for epochs in AFTER:
        n = int((history.epochs <= epochs).sum())
        volume = hypervolume(history.reached[:n], space.reference, list(space.objectives.values()))
        rows.append((gains[:n].max(), (gains[:n] >= GAIN).sum(), volume))
    return np.array(rows)


def main() -> None:
    """Simulate all searches and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=12, help="searches of each kind")
    parser.add_argument("--record", default="embedded", choices=RECORDS, help="basis of the surrogate")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # A feature without influence gets the largest length scale allowed, about which scikit-learn warns.
    warnings.simplefilter("ignore", ConvergenceWarning)
    console, space = Console(), load_space(RECORDS[options.record] / SPACE)
    with console.status("fitting the surrogate"):
        kind = KINDS[USUAL[options.record]]
        surrogate = Surrogate(read_record(RECORDS[options.record]), space.params, kind)
    with console.status("looking for the best point"):
        console.print(headroom(surrogate, with_baseline(space, {})))
    table = Table(
        "search", "epochs", "best gain in both", f"trials that gain {GAIN}", "hypervolume", box=None
    )
    for row, change in ROWS.items():
        seeds = track(range(options.seeds), row, console=console, transient=True)
        found = np.stack([search(surrogate, space, change, seed) for seed in seeds])
        errors = found.std(axis=0, ddof=1) / np.sqrt(len(found)) if len(found) > 1 else found[0] * np.nan
        for epochs, (gain, n, volume), (error, _, _) in zip(AFTER, found.mean(axis=0), errors, strict=True):
            table.add_row(row, str(epochs), f"{gain:.4f} ± {error:.4f}", f"{n:.2f}", f"{volume:.3f}")
    console.print(table)


if __name__ == "__main__":
    main()
