"""Spaces and ledgers for tests, and trials that begin and end in one line."""

from pathlib import Path
from typing import Any

from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.ledger.trials import Begun, FirstTrial
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space, load_space

SPACE = """
base: {preset: synthetic, overrides: {encoder: {arch: small, weights: null}, epochs: 4, evaluate_every: 1}}
params:
  augmentations: {type: subset, members: [crop, gaussian_blur, high_contrast, high_saturation, affine]}
  temperature: {type: float, low: 0.05, high: 0.5}
search: {trials: 8, startup_trials: 2}
"""
FOUR_SETS = """
base: {preset: synthetic, overrides: {encoder: {arch: small, weights: null}, epochs: 4, evaluate_every: 1}}
params:
  augmentations: {type: subset, members: [crop, gaussian_blur, grayscale, affine], max_size: 1}
search: {trials: 30, startup_trials: 2, warm_start: {paper: false}}
"""


def load(folder: Path, text: str, **search: Any) -> Space:
    (folder / "s.yaml").write_text(text)
    return load_space(folder / "s.yaml", search=search)


def beginning_with(space: Space, *names: str) -> Ledger:
    """Return a ledger in memory whose first trials have one augmentation each."""
    first = [FirstTrial({"augmentations": (name,)}, "here") for name in names]
    made = Ledger.create(None, space, {}, first)
    made.ready(SpaceSampler)
    return made


def begin(ledger: Ledger) -> Begun:
    begun = Queue(ledger).begin()
    assert begun is not None
    return begun


def note(
    ledger: Ledger, number: int, epoch: int, invariance: float = 0.5, informativeness: float = 0.5
) -> None:
    metrics = {"invariance": invariance, "informativeness": informativeness}
    ledger.note_epoch(number, epoch, training={"train/total": 1.0}, metrics=metrics, intervals={})


def finish(ledger: Ledger, number: int, invariance: float = 0.5, informativeness: float = 0.5) -> str:
    note(ledger, number, 4, invariance, informativeness)
    return ledger.end(number, full_budget=True)
