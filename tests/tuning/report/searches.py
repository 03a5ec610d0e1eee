"""Searches with made-up metrics, for the page."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.ledger.storage import LEDGER
from tuning.ledger.trials import FirstTrial
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import load_space

PARAMS = """
  augmentations: {type: subset, members: [crop, gaussian_blur, high_contrast, high_saturation]}
  temperature: {type: float, low: 0.05, high: 0.5, log: true}
"""
EVIL = "<script>hacked=1</script><a href='https://evil.example'>x</a><img src=x: onerror=hacked=1>&\"'"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TWO = {"invariance": "maximize", "informativeness": "maximize"}


def space_text(objectives: Mapping[str, str], params: str = PARAMS, paper: bool = True) -> str:
    """Return a space file of trainings of two epochs."""
    named = "".join(f"  {json.dumps(name)}: {direction}\n" for name, direction in objectives.items())
    arch = "" if "encoder.arch" in params else "arch: small, "
    overrides = f"{{encoder: {{{arch}weights: null}}, epochs: 2, evaluate_every: 1}}"
    base = f"base: {{preset: synthetic, overrides: {overrides}}}\n"
    search = f"search: {{trials: 40, sampler: random, warm_start: {{paper: {str(paper).lower()}}}}}\n"
    return f"{base}params:{params}objectives:\n{named}{search}"


def made(
    folder: Path,
    values: Sequence[Sequence[float]],
    objectives: Mapping[str, str] = TWO,
    params: str = PARAMS,
    extra: Mapping[str, float] = {},
    paper: bool = True,
) -> Search:
    """A search, not over, of complete trials that reached these objectives, half of them after an epoch.

    With ``paper`` the first has the paper's settings. ``extra`` are further metrics of every trial.
    """
    folder.mkdir(parents=True)
    (folder / "space.yaml").write_text(space_text(objectives, params, paper))
    space = load_space(folder / "space.yaml")
    facts = {"run_id": "run", "fingerprint": "abc", "versions": {"python": "3.12"}}
    first = [FirstTrial(space.paper_values(), "paper")] if paper else []
    ledger = Ledger.create(folder / LEDGER, space, facts, first)
    ledger.ready(SpaceSampler)
    for row in values:
        begun = Queue(ledger).begin()
        assert begun is not None
        for epoch in (1, 2):
            reached = {name: value * epoch / 2 for name, value in zip(objectives, row, strict=True)}
            ledger.note_epoch(begun.number, epoch, training={}, metrics={**extra, **reached})
        ledger.end(begun.number, full_budget=True)
    return Search(folder, ledger)


def confirm(search: Search, number: int, runs: Sequence[Sequence[float]]) -> list[int]:
    """Train a trial again with other seeds, to these objectives; return the numbers of the trainings."""
    numbers = []
    for seed, row in enumerate(runs, start=1):
        begun = search.ledger.confirm(number, seed)
        metrics = dict(zip(search.space.objectives, row, strict=True))
        epochs = search.space.base.epochs
        search.ledger.note_epoch(begun.number, epochs, training={}, metrics=metrics, intervals={})
        search.ledger.end(begun.number, full_budget=True)
        numbers.append(begun.number)
    return numbers


def spread(trials: int, objectives: int = 2) -> list[list[float]]:
    """Objectives that differ from trial to trial, some of them dominated."""
    return [[(7 * i + 13 * j * i + 3 * j) % 29 / 29 for j in range(objectives)] for i in range(trials)]


def hostile(folder: Path) -> Search:
    """A search whose names, metrics, reasons and space file are markup, with a picture of its best trial."""
    objectives = {"invariance": "maximize", f"accuracy/{EVIL}": "maximize"}
    search = made(folder / "<b>x<i>&", spread(12), objectives, extra={f"accuracy/2{EVIL}": 0.5})
    search.ledger.remember("ended", EVIL)
    search.ledger.remember("fingerprint", EVIL)
    search.ledger.remember("versions", {EVIL: EVIL})
    begun = Queue(search.ledger).begin()
    assert begun is not None
    search.ledger.end(begun.number, full_budget=False, failure=EVIL)
    with (search.folder / "space.yaml").open("a") as file:
        file.write(f"# </pre>{EVIL}\n")
    trial = search.folder / "trials" / f"{search.best_tradeoff().number:03d}"
    trial.mkdir(parents=True)
    (trial / "retrieval.png").write_bytes(PNG)
    return search
