"""The parent run at a search's end: gain and importances, even if the analysis fails."""

import csv
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from tests.tuning.report.searches import made, spread
from tests.tuning.store import Store
from tuning.analysis import attribution, regression
from tuning.report import content
from tuning.results.results import Results
from tuning.results.search import Search
from tuning.tracking import conclusion, mirror
from tuning.tracking.tracker import Tracker


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribution, "DRAWS", 50)
    monkeypatch.setattr(regression, "WARM_UP", 10)


def close(search: Search, store: Store) -> tuple[str, str, list[str]]:
    """The parent of a search that is over: its run id, its description, and the files of its analysis."""
    tracker = Tracker(store.uri)
    run_id = mirror.open_parent(search.folder, search.space, tracker, uuid4().hex)
    search.ledger.remember("ended", "all trials are done")
    mirror.close_parent(search, tracker)
    run = store.client.get_run(run_id)
    assert run.info.status == "FINISHED"
    files = [file.path for file in store.client.list_artifacts(run_id, "analysis")]
    return run_id, run.data.tags["mlflow.note.content"], files


def test_the_parent_compares_with_the_papers_settings(store: Store, tmp_path: Path) -> None:
    objectives = {"informativeness": "maximize", "domain_accuracy": "minimize"}
    search = made(tmp_path / "s", [[0.5, 0.5], [0.75, 0.25], [0.25, 0.125]], objectives)
    run_id, description, _ = close(search, store)
    rows = list(csv.DictReader(store.artifact(run_id, "gain.csv").splitlines()))
    assert [[row[key] for key in ("objective", "paper", "best", "best_trial", "change")] for row in rows] == [
        ["informativeness", "0.5", "0.75", "1", "0.25"],
        ["domain_accuracy", "0.5", "0.125", "2", "-0.375"],
    ]
    assert "| informativeness (higher is better) | 0.500 | 0.750 (trial 001) | +0.250 |" in description
    assert (
        "Not known: trial 001, the best trade-off, and the paper's settings share no confirmation seed."
        in description
    )


def test_without_the_papers_settings_there_is_no_gain_to_tell(store: Store, tmp_path: Path) -> None:
    description = close(made(tmp_path / "s", [[0.5, 0.5]], paper=False), store)[1]
    assert description.startswith("No trial has the paper's settings, so there is no gain to report.")


def test_the_parent_has_the_analysis_that_the_command_makes(store: Store, tmp_path: Path) -> None:
    _, description, files = close(made(tmp_path / "s", spread(9)), store)
    pictures = [f"analysis/{name}.png" for name in ("attribution", "importance", "interactions", "trials")]
    assert [file for file in files if file.endswith("png")] == pictures
    assert [file.replace(".csv", ".png") for file in files if file.endswith("csv")] == pictures
    assert sorted(f"analysis/{file.name}" for file in (tmp_path / "s" / "analysis").iterdir()) == files
    assert "Importance of the settings: the artifacts in `analysis`." in description


@pytest.mark.parametrize(
    ("trials", "most", "drawn", "reason"),
    [
        (7, 500, ["trials"], "There is no analysis: search 's' has 7 complete trials, an analysis needs 8"),
        (9, 8, [], "An analysis of 9 complete trials takes minutes: `python -m tuning analyse s`"),
    ],
)
def test_too_few_or_too_many_trials_are_said_to_be(
    trials: int,
    most: int,
    drawn: list[str],
    reason: str,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conclusion, "MOST_TRIALS", most)
    _, description, files = close(made(tmp_path / "s", spread(trials)), store)
    assert [file for file in files if file.endswith("png")] == [f"analysis/{name}.png" for name in drawn]
    assert reason in description


def test_a_search_ends_though_its_analysis_fails(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(results: Results) -> None:
        raise np.linalg.LinAlgError("singular matrix")

    monkeypatch.setattr(content, "analyse", fail)
    _, description, files = close(made(tmp_path / "s", spread(9)), store)
    assert files == []
    assert "The analysis failed (LinAlgError: singular matrix)" in description


def test_a_search_that_was_cut_off_is_not_analysed(tmp_path: Path) -> None:
    files, said = conclusion.what_mattered(made(tmp_path / "s", spread(9)).results())
    assert files == []
    assert said.startswith("The search has not ended")
    assert not (tmp_path / "s" / "analysis").exists()
