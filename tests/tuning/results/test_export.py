"""Results from a ledger and their export, without a search."""

import re
from pathlib import Path

import pytest

from dcodr.config import read_config
from dcodr.errors import UserError
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.ledger.storage import LEDGER, names
from tuning.ledger.trials import FirstTrial
from tuning.report.terminal import print_status
from tuning.results.csv_tables import front_csv
from tuning.results.export import export, export_front, off_front, pick
from tuning.results.results import CONFIGS
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import load_space

SPACE = """
base: {preset: synthetic, overrides: {encoder: {arch: small, weights: null}, epochs: 3}}
params:
  augmentations: {type: subset, members: [crop, gaussian_blur, high_contrast, high_saturation, affine]}
  temperature: {type: float, low: 0.05, high: 0.5}
"""

# (invariance, informativeness, full budget, reason)
OUTCOMES = [
    (0.5, 0.5, True, None),
    (0.9, 0.2, True, None),
    (0.2, 0.9, True, None),
    (0.7, 0.7, True, None),
    (1.0, 1.0, False, None),
    (1.0, 0.9, True, "effective rank 1.0"),
    (0.4, 0.4, True, None),
]


@pytest.fixture
def search(tmp_path: Path) -> Search:
    (tmp_path / "s.yaml").write_text(SPACE)
    folder = tmp_path / "runs" / "s"
    folder.mkdir(parents=True)
    space = load_space(tmp_path / "s.yaml")
    first = [FirstTrial(space.paper_values(), "paper")]
    facts = {"fingerprint": "abc", "run_id": "parent", "versions": {"torch": "1.0"}}
    ledger = Ledger.create(folder / LEDGER, space, facts, first)
    ledger.ready(SpaceSampler)
    for invariance, informativeness, full, reason in OUTCOMES:
        begun = Queue(ledger).begin()
        assert begun is not None
        number = begun.number
        metrics = {"invariance": invariance, "informativeness": informativeness, "domain_accuracy": 0.3}
        ledger.note_epoch(number, 3, training={}, metrics=metrics, intervals={"invariance": [0.1, 0.9]})
        ledger.end(number, full_budget=full, infeasible=reason)
    return Search.open("s", tmp_path / "runs")


def test_the_searchs_own_folder_has_the_configs_of_the_front_alone(search: Search) -> None:
    export_front(search.results())
    folder = search.folder / CONFIGS
    (folder / "notes.yaml").write_text("mine")
    export(search.results(), "trial:0", folder)
    assert [path.name for path in off_front(search.results())] == ["s-000.yaml"]
    export_front(search.results())
    assert sorted(path.name for path in folder.iterdir()) == [
        "notes.yaml",
        "s-001.yaml",
        "s-002.yaml",
        "s-003.yaml",
    ]


def test_the_front_is_of_complete_trials_alone(search: Search) -> None:
    assert [trial.number for trial in search.front()] == [1, 3, 2]
    assert search.best_tradeoff().number == 3
    assert search.results().best("invariance").number == 1
    assert search.results().best("informativeness").number == 2
    paper = search.results().paper
    assert paper is not None
    assert paper.number == 0


@pytest.mark.parametrize(
    ("which", "numbers"),
    [
        ("knee", [3]),
        ("best:invariance", [1]),
        ("best:informativeness", [2]),
        ("all-front", [1, 3, 2]),
        ("trial:6", [6]),
        ("trial:004", [4]),
    ],
)
def test_exported_files_hold_the_trials_config_and_its_origin(
    search: Search, which: str, numbers: list[int], tmp_path: Path
) -> None:
    written = export(search.results(), which, tmp_path / "out")
    assert [path.name for path in written] == [f"s-{number:03d}.yaml" for number in numbers]
    trials = {trial.number: trial for trial in search.trials()}
    for path, number in zip(written, numbers, strict=True):
        config, provenance = read_config(path)
        assert config == search.space.config(trials[number].values)
        assert config.epochs == 3
        assert (provenance["search"], provenance["trial"]) == ("s", number)
        assert provenance["dataset_fingerprint"] == "abc"
        assert provenance["validation"] == trials[number].metrics
        assert provenance["intervals"] == {"invariance": [0.1, 0.9]}
        assert provenance["mlflow_run"] == "parent"
        assert provenance["versions"] == {"torch": "1.0"}  # those of the training, not of the export


def test_what_a_search_has_found_is_read_again(search: Search, tmp_path: Path) -> None:
    assert search.trials() == Search.open("s", str(tmp_path / "runs")).trials()


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("top", "which='top': expected knee"),
        ("best:speed", "'speed' is not an objective"),
        ("trial:99", "has no such trial"),
        ("trial:x", "expected knee"),
    ],
)
def test_unknown_picks_are_refused(search: Search, which: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        pick(search.results(), which)


def test_a_search_without_complete_trials_has_nothing_to_export(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SPACE)
    ledger = Ledger.create(tmp_path / LEDGER, load_space(tmp_path / "s.yaml"), {"fingerprint": "abc"})
    search = Search(tmp_path, ledger)
    assert search.front() == []
    with pytest.raises(UserError, match="has no complete trial yet"):
        pick(search.results(), "knee")


def test_searches_are_found_by_name(search: Search, tmp_path: Path) -> None:
    assert names(tmp_path / "runs") == ["s"]
    with pytest.raises(UserError, match=r"no search named 't' in .*; there are: s"):
        Search.open("t", tmp_path / "runs")
    assert names(tmp_path / "nowhere") == []


def test_the_status_names_front_counts_and_reasons(
    search: Search, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    print_status(search.results(), Console(width=120))
    text = capsys.readouterr().out
    assert "5 complete, 1 stopped early, 1 infeasible" in text
    assert "trial 005 infeasible: effective rank 1.0" in text
    assert re.findall(r"(?m)^(?:\d{3}(?: ★)?|paper)", text) == ["001", "003 ★", "002", "000", "paper"]


def test_the_fronts_csv_has_the_paper_beside_it(search: Search) -> None:
    header, *rows = front_csv(search.results()).splitlines()
    assert header.split(",")[:5] == ["trial", "paper", "on_front", "augmentations", "temperature"]
    assert [row.split(",")[0] for row in rows] == ["1", "3", "2", "0"]
    assert [row.split(",")[2] for row in rows] == ["True", "True", "True", "False"]
