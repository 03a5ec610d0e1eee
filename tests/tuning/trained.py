"""A search with trials that ended in every way, without training anything."""

from pathlib import Path

from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.ledger.storage import LEDGER
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import load_space
from tuning.tracking.mirror import open_parent
from tuning.tracking.tracker import Tracker

SPACE = """
base: {preset: synthetic, overrides: {encoder: {arch: small, weights: null}, epochs: 3, evaluate_every: 2}}
params:
  augmentations: {type: subset, members: [crop, gaussian_blur, high_contrast, high_saturation, affine]}
  temperature: {type: float, low: 0.05, high: 0.5}
search: {trials: 8, startup_trials: 2}
"""


def begin(folder: Path, tracker: Tracker) -> Search:
    """Return a search of six trials: complete, pruned, infeasible, failed, confirming the first, running."""
    folder.mkdir(parents=True)
    (folder / "space.yaml").write_text(SPACE)
    space = load_space(folder / "space.yaml")
    run_id = open_parent(folder, space, tracker, f"{folder}")
    facts = {"id": f"{folder}", "run_id": run_id, "tracking_uri": tracker.uri, "versions": {}}
    ledger = Ledger.create(folder / LEDGER, space, facts)
    ledger.ready(SpaceSampler)
    for _ in range(4):
        Queue(ledger).begin()
    for number, epochs in enumerate((3, 2, 3, 1)):
        train(ledger, number, epochs)
    ledger.end(0, full_budget=True)
    ledger.end(1, full_budget=False)
    ledger.end(2, full_budget=True, infeasible="the code is constant")
    ledger.end(3, full_budget=False, failure="no such file")
    ledger.confirm(0, seed=1)
    train(ledger, 4, 3)
    ledger.end(4, full_budget=True)
    ledger.note_test(4, {"invariance": 0.75, "informativeness": 0.625})
    Queue(ledger).begin()
    train(ledger, 5, 2)
    return Search(folder, ledger)


def train(ledger: Ledger, number: int, epochs: int) -> None:
    """Note epochs of a trial, with metrics of the second and the last."""
    for epoch in range(1, epochs + 1):
        training = {"train/loss": number + 1 / epoch, "images_per_second": 10.0 * epoch}
        metrics = {"invariance": number / 10 + epoch / 100, "informativeness": 0.5} if epoch > 1 else None
        ledger.note_epoch(number, epoch, training=training, metrics=metrics)
