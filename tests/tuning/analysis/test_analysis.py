"""An analysis from ledger to tables and pictures, and what it refuses."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from dcodr.errors import UserError
from tuning.analysis import analysis, attribution, regression
from tuning.analysis.analysis import Analysis, analyse, write_tables
from tuning.analysis.importance import importances, n_best
from tuning.cli import app
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.ledger.storage import LEDGER
from tuning.report.analysis_text import print_analysis
from tuning.report.pictures import draw_pictures
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import load_space

SPACE = """
base: {preset: synthetic, overrides: {encoder: {arch: small, weights: null}}}
params:
  augmentations:
    type: subset
    members: [crop, gaussian_blur, high_contrast, affine]
    max_size: 3
    strengths: {crop: {min_scale: {type: float, low: 0.2, high: 0.9}}}
  temperature: {type: float, low: 0.05, high: 0.5, log: true}
  encoder_lr: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}
search: {trials: 30, sampler: random, warm_start: {paper: false}}
"""


def search_of(folder: Path, n: int, noise: float = 0.01) -> Search:
    """Return a search with n complete trials, one infeasible, one stopped and one failed trial.

    Crop raises informativeness, the learning rate lowers invariance on its logarithmic scale; the infeasible
    trial has metrics that would overturn everything.
    """
    (folder / "s.yaml").write_text(SPACE)
    search = Search(folder, Ledger.create(folder / LEDGER, load_space(folder / "s.yaml"), {"run_id": "r"}))
    search.ledger.ready(SpaceSampler)
    rng = np.random.default_rng(0)
    for i in range(n + 3):
        begun = Queue(search.ledger).begin()
        assert begun is not None
        metrics = {
            "invariance": 0.5 - 0.1 * np.log10(begun.values["encoder_lr"]) + noise * rng.standard_normal(),
            "informativeness": 0.5 + 0.1 * ("crop" in begun.values["augmentations"]),
        }
        metrics["informativeness"] += noise * rng.standard_normal()
        if i == n:
            metrics = {"invariance": 100.0, "informativeness": -100.0}
        if i < n + 2:
            search.ledger.note_epoch(begun.number, 4, training={}, metrics=metrics, intervals={})
        search.ledger.end(begun.number, full_budget=i != n + 1, infeasible="collapsed" if i == n else None)
    return search


@pytest.fixture(scope="module")
def analyses(tmp_path_factory: pytest.TempPathFactory) -> list[Analysis]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attribution, "DRAWS", 300)
        patch.setattr(regression, "WARM_UP", 100)
        return analyse(search_of(tmp_path_factory.mktemp("search"), 30).results())


def test_each_objective_is_explained_by_what_makes_it(analyses: list[Analysis]) -> None:
    invariance, informativeness = analyses
    assert (invariance.objective, invariance.trials) == ("invariance", 30)
    assert invariance.importances[0].name == "encoder_lr"
    assert informativeness.importances[0].name == "augmentations"
    assert informativeness.importances[1].name == "augmentations.crop"
    assert informativeness.attribution is not None
    best = informativeness.ranked()[0]
    assert best.member == "crop"
    assert best.main is not None
    assert best.main.low < 0.1 < best.main.high
    assert informativeness.attribution.explained > 0.5


def test_shares_sum_to_one_and_subsets_to_their_members(analyses: list[Analysis]) -> None:
    for one in analyses:
        top = [row for row in one.importances if row.of is None]
        assert sum(row.ped_anova.mean for row in top if row.ped_anova) == pytest.approx(1)
        assert sum(row.fanova.mean for row in top if row.fanova) == pytest.approx(1)
        members = [row.ped_anova for row in one.importances if row.of == "augmentations"]
        assert len(members) == 4
        subset = next(row.ped_anova for row in top if row.name == "augmentations")
        assert subset is not None
        assert subset.mean == pytest.approx(sum(share.mean for share in members if share))
        assert all(share.low <= share.mean <= share.high for share in members if share)


def test_what_only_some_trials_have_is_left_to_ped_anova(analyses: list[Analysis]) -> None:
    for one in analyses:
        assert one.attribution is not None
        row = next(row for row in one.importances if row.name == "strengths.crop.min_scale")
        crop = next(member for member in one.attribution.members if member.member == "crop")
        assert row.fanova is None
        assert row.trials == crop.chosen < 30


def test_a_logarithmic_parameter_is_judged_on_its_scale(tmp_path: Path) -> None:
    search = search_of(tmp_path, 30, noise=0.0)
    rows = importances(search.space.params, search.results().complete, "invariance", "maximize")
    assert rows[0].name == "encoder_lr"
    assert rows[0].fanova is not None
    assert rows[0].fanova.mean > 0.9
    assert 0.8 < rows[0].fanova.low < rows[0].fanova.high <= 1


@pytest.mark.parametrize(("trials", "best"), [(8, 4), (20, 10), (60, 10), (300, 30)])
def test_how_many_trials_count_as_best(trials: int, best: int) -> None:
    assert n_best(trials) == best


def test_too_few_trials_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has 7 complete trials, an analysis needs 8"):
        analyse(search_of(tmp_path, 7).results())


def test_an_objective_without_differences_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "FEWEST_TRIALS", 1)
    with pytest.raises(UserError, match="in all 1 complete trials"):
        analyse(search_of(tmp_path, 1).results())


def test_an_objective_without_differences_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SPACE)
    search = Search(tmp_path, Ledger.create(None, load_space(tmp_path / "s.yaml"), {}))
    search.ledger.ready(SpaceSampler)
    for number in range(12):
        begun = Queue(search.ledger).begin()
        assert begun is not None
        metrics = {"invariance": 1.0, "informativeness": number / 12}
        search.ledger.note_epoch(begun.number, 4, training={}, metrics=metrics)
        search.ledger.end(begun.number, full_budget=True)
    (found,) = analyse(search.results())
    assert found.objective == "informativeness"
    assert found.attribution is not None


def test_tables_hold_every_figure_with_its_support(analyses: list[Analysis], tmp_path: Path) -> None:
    importance, attributed, interactions = write_tables(analyses, tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    with attributed.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 4
    for row in rows:
        assert int(row["trials_with"]) + int(row["trials_without"]) == 30
        assert float(row["main_low"]) <= float(row["main"]) <= float(row["main_high"])
    with interactions.open() as file:
        assert len(list(csv.DictReader(file))) == 2 * 6
    with importance.open() as file:
        cells = [row["fanova"] for row in csv.DictReader(file) if row["setting"].startswith("strengths")]
    assert cells == ["", ""]


def test_pictures_are_drawn(analyses: list[Analysis], tmp_path: Path) -> None:
    paths = draw_pictures(analyses, tmp_path)
    assert [path.name for path in paths] == ["importance.png", "attribution.png", "interactions.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_the_report_fits_eighty_columns(analyses: list[Analysis]) -> None:
    console = Console(file=io.StringIO(), width=80, record=True)
    print_analysis(analyses, console)
    text = console.export_text()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "invariance (to maximize), 30 complete trials" in text
    left_out = "fANOVA leaves out settings that only some trials have: strengths.crop.min_scale."
    assert left_out in " ".join(text.split())


def test_the_command_writes_its_files_and_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribution, "DRAWS", 100)
    monkeypatch.setattr(regression, "WARM_UP", 20)
    folder = tmp_path / "augs"
    folder.mkdir()
    search_of(folder, 8)
    done = CliRunner().invoke(app, ["analyse", "augs", "--storage", str(tmp_path)], catch_exceptions=False)
    written = {str(path) for path in (folder / "analysis").iterdir()}
    assert len(written) == 8
    assert written <= set(done.stdout.split())
    assert "not in MLflow" in done.stdout
    assert not (tmp_path / "mlflow.db").exists()


SYSTEMS = """
base: {preset: synthetic, overrides: {encoder: {arch: small, weights: null}}}
params:
  method: {type: categorical, choices: [dcodr_norec, lord]}
  augmentations: {type: subset, members: [crop, gaussian_blur, affine]}
  encoder_lr: {type: float, low: 1.0e-4, high: 1.0e-2, log: true}
  lord.noise: {type: float, low: 0.1, high: 3.0, log: true}
search: {trials: 60, sampler: random, warm_start: {paper: false}}
"""


def systems(folder: Path, n: int) -> Search:
    """A search in which the method decides all, and crop what DCoDR-norec reaches of informativeness."""
    (folder / "s.yaml").write_text(SYSTEMS)
    search = Search(folder, Ledger.create(folder / LEDGER, load_space(folder / "s.yaml"), {}))
    search.ledger.ready(SpaceSampler)
    rng = np.random.default_rng(0)
    for _ in range(n):
        begun = Queue(search.ledger).begin()
        assert begun is not None
        lord, crop = begun.values["method"] == "lord", "crop" in begun.values.get("augmentations", ())
        noise = 0.01 * rng.standard_normal(2)
        metrics = {"invariance": 0.4 + 0.4 * lord + noise[0], "informativeness": 0.6 + 0.1 * crop + noise[1]}
        search.ledger.note_epoch(begun.number, 4, training={}, metrics=metrics, intervals={})
        search.ledger.end(begun.number, full_budget=True)
    return search


def test_what_a_method_does_not_use_is_judged_by_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attribution, "DRAWS", 300)
    monkeypatch.setattr(regression, "WARM_UP", 100)
    search = systems(tmp_path, 40)
    found = analyse(search.results())
    lords = sum(trial.values["method"] == "lord" for trial in search.trials())
    rows = {row.name: row for row in found[0].importances}
    assert found[0].importances[0].name == "method"
    assert (rows["lord.noise"].trials, rows["lord.noise"].fanova) == (lords, None)
    for name in ("augmentations", "augmentations.crop"):
        assert (rows[name].trials, rows[name].fanova) == (40 - lords, None)
    attributed = found[1].attribution
    assert attributed is not None
    crop = next(member for member in attributed.members if member.member == "crop")
    assert crop.chosen + crop.left_out == 40 - lords
    assert crop.main is not None
    assert crop.main.low < 0.1 < crop.main.high
    draw_pictures(found, tmp_path)
    print_analysis(found, Console(file=io.StringIO(), width=100))


def test_a_subset_that_hardly_any_method_used_is_not_attributed(tmp_path: Path) -> None:
    assert [one.attribution for one in analyse(systems(tmp_path, 10).results())] == [None, None]
