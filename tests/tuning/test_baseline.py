"""The paper's settings, which a search must beat, are complete when it ends, or it is said why not."""

import io
import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from tests.tuning.store import Store
from tuning import run
from tuning.driver import stages
from tuning.driver.searcher import LedgerSearcher
from tuning.driver.warm_start import first_trials
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.ledger.storage import LEDGER
from tuning.results.answer import answer_text
from tuning.results.search import Search
from tuning.run import run_search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space, load_space

SPACE = """
base:
  preset: synthetic
  overrides:
    encoder: {arch: small, weights: null}
    perceptual: {backbone: pixel}
    batch: {n_domains: 4, n_per_domain: 8}
    epochs: 8
    evaluate_every: 1
params:
  temperature: {type: float, low: 0.05, high: 0.5}
search: {trials: 3, sampler: random, scheduler: {grace_period: 2}, informativeness_floor: 0.3}
"""


@pytest.fixture
def space(tmp_path: Path) -> Space:
    (tmp_path / "s.yaml").write_text(SPACE)
    return load_space(tmp_path / "s.yaml")


def begun(space: Space, folder: Path | None = None) -> Search:
    """Return a search that hands out its trials."""
    ledger = Ledger.create(folder and folder / LEDGER, space, {}, first_trials(space))
    ledger.ready(SpaceSampler)
    return Search(folder or Path("s"), ledger)


def searching(search: Search) -> LedgerSearcher:
    """Return the searcher of a search."""
    queue = Queue(search.ledger)
    return LedgerSearcher(queue, search.space, queue.over, search.folder)


def test_the_floor_and_early_stopping_know_the_baseline_also_when_it_goes_on(
    space: Space, tmp_path: Path
) -> None:
    first = searching(begun(space, tmp_path))
    assignments = [first.suggest("") for _ in range(2)]
    assert [(one["baseline"], one["floor_from"]) for one in assignments] == [(True, 8), (False, 2)]
    ledger = Ledger.open(tmp_path / LEDGER)
    ledger.ready(SpaceSampler)
    again = searching(Search(tmp_path, ledger))
    assignments = [again.suggest("") for _ in range(2)]
    assert [(one["number"], one["baseline"]) for one in assignments] == [(0, True), (1, False)]


def test_a_candidate_that_is_confirmed_meets_the_floor_at_its_end(space: Space) -> None:
    ledger = begun(space).ledger
    queue = Queue(ledger)
    queue.begin()
    metrics = {"invariance": 0.5, "informativeness": 0.5}
    ledger.note_epoch(0, 8, training={}, metrics=metrics)
    ledger.end(0, full_budget=True)
    queue.confirm(0, 1)
    assignment = LedgerSearcher(queue, space, queue.over, Path("s")).suggest("")
    assert (assignment["baseline"], assignment["floor_from"]) == (False, 8)


@pytest.mark.parametrize(
    ("epochs", "end", "said"),
    [
        (3, {"failure": "No such file."}, "their trial 000 failed after 3 of 8 epochs: No such file."),
        (8, {"infeasible": "too low"}, "their trial 000 is infeasible after 8 of 8 epochs: too low."),
        (1, {}, "their trial 000 was stopped early after 1 of 8 epochs."),
        (2, None, "their trial 000 is not complete after 2 of 8 epochs."),
    ],
)
def test_why_there_is_no_baseline_is_said(
    space: Space, epochs: int, end: dict[str, str] | None, said: str
) -> None:
    search = begun(space)
    Queue(search.ledger).begin()
    for epoch in range(1, epochs + 1):
        metrics = {"invariance": 0.5, "informativeness": 0.25}
        search.ledger.note_epoch(0, epoch, training={}, metrics=metrics)
    if end is not None:
        search.ledger.end(0, full_budget=epochs == 8, **end)
    assert answer_text(search.results()) == f"There is no gain over the paper's settings to report, as {said}"


def test_a_space_without_the_papers_settings_has_no_baseline(space: Space) -> None:
    without = space.search.warm_start.model_copy(update={"paper": False})
    search = begun(
        space.model_copy(update={"search": space.search.model_copy(update={"warm_start": without})})
    )
    assignment = searching(search).suggest("")
    assert not assignment["baseline"]
    assert (
        answer_text(search.results()) == "No trial has the paper's settings, so there is no gain to report."
    )


class Hurried:
    """Stands in for ``tune.Tuner``: two trials at a time, of which a time budget stops each after an epoch.

    As Tune does then, it leaves without a word what has not ended.
    """

    def __init__(self, trainable: Any, *, tune_config: Any, run_config: Any) -> None:
        self.searcher, self.scheduler = tune_config.search_alg, tune_config.scheduler
        self.most = 1 if tune_config.time_budget_s else 99
        self.ledger = Path(run_config.storage_path) / LEDGER
        (self.recorder,) = run_config.callbacks

    def fit(self) -> None:
        trials = [
            trial for trial in (self.searcher.suggest(""), self.searcher.suggest("")) if trial != "FINISHED"
        ]
        for trial in [SimpleNamespace(config=assignment) for assignment in trials]:
            self.recorder.on_trial_start(0, [], trial)
            for result in self.train(trial):
                self.recorder.on_trial_result(0, [], trial, result)
            if result["epoch"] == 8:
                self.recorder.on_trial_complete(0, [], trial)

    def train(self, trial: Any) -> Iterator[dict[str, Any]]:
        at = Ledger.open(self.ledger).records()[trial.config["number"]].epoch
        for epoch in range(at + 1, min(8, at + self.most) + 1):
            metrics = {"invariance": 0.5, "informativeness": 0.5}
            yield {"epoch": epoch, "training": {}, "metrics": metrics}


def test_a_time_budget_stops_all_trials_but_the_baseline(
    tmp_path: Path, tiny_store: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s.yaml").write_text(SPACE)
    space = load_space(tmp_path / "s.yaml", data=str(tiny_store), search={"time_budget": 1.0})
    monkeypatch.setattr("ray.tune.Tuner", Hurried)
    monkeypatch.setattr(stages, "places", lambda resources: 2)
    monkeypatch.setattr(run, "ray_session", lambda *_: nullcontext())
    said = io.StringIO()
    search = run_search(
        space, storage=tmp_path / "runs", tracking_uri=store.uri, console=Console(file=said, width=200)
    )
    assert [(trial.status, trial.epoch) for trial in search.trials()] == [("complete", 8), ("pruned", 1)]
    assert "trial 000, the paper's settings, trains to its end" in said.getvalue()
    assert re.search(r"invariance +0\.500  0\.500 \(trial 000\)", said.getvalue())
    assert "Trial 000 has no metrics on the test images: its encoder was not kept" in said.getvalue()
    assert search.ledger.facts()["ended"] == "the time budget of 1 s is spent"
