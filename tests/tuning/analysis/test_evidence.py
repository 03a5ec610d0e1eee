"""Numbers of trials that an estimate needs, and the text where there are fewer."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tuning.analysis import attribution, regression
from tuning.analysis.analysis import Analysis, analyse, write_tables
from tuning.analysis.evidence import NOT_ENOUGH, SUPPORT, Estimate, enough, sides
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.ledger.storage import LEDGER
from tuning.ledger.trials import FirstTrial
from tuning.report.analysis_text import effect_tables, importance_table, print_analysis
from tuning.report.bars import bar_charts, effect_bars, importance_bars
from tuning.report.pictures import draw_pictures
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import load_space

SPACE = """
base: {preset: synthetic, overrides: {encoder: {arch: small, weights: null}}}
params:
  augmentations: {type: subset, members: [crop, gaussian_blur, high_contrast]}
  temperature: {type: float, low: 0.05, high: 0.5, log: true}
  perceptual.backbone: {type: categorical, choices: [pixel, vgg16, vgg19]}
search: {trials: 30, sampler: random, warm_start: {paper: false}}
"""


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Search:
    """Eight trials, of which one has contrast, two another backbone; what that one reached is far off."""
    folder = tmp_path_factory.mktemp("few")
    (folder / "s.yaml").write_text(SPACE)
    space = load_space(folder / "s.yaml")
    first = []
    for i in range(8):
        members = [name for name, has in (("crop", i % 2), ("gaussian_blur", i < 4 or i == 6)) if has]
        chosen = (*members, "high_contrast") if i == 7 else tuple(members) or ("crop",)
        backbone = "vgg16" if i < 2 else "pixel"
        values = {"augmentations": chosen, "temperature": 0.1 + 0.02 * i, "perceptual.backbone": backbone}
        first.append(FirstTrial(values, "made"))
    ledger = Ledger.create(folder / LEDGER, space, {"run_id": "r"}, first)
    ledger.ready(SpaceSampler)
    noise = np.random.default_rng(0).normal(0, 0.01, (8, 2))
    for i in range(8):
        begun = Queue(ledger).begin()
        assert begun is not None
        reached = np.array([0.5 + 0.4 * (i == 7), 0.5 + 0.1 * ("crop" in begun.values["augmentations"])])
        names = ("invariance", "informativeness")
        metrics = dict(zip(names, (reached + noise[i]).tolist(), strict=True))
        ledger.note_epoch(begun.number, 4, training={}, metrics=metrics, intervals={})
        ledger.end(begun.number, full_budget=True)
    return Search(folder, ledger)


@pytest.fixture(scope="module")
def analyses(search: Search) -> list[Analysis]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attribution, "DRAWS", 50)
        patch.setattr(regression, "WARM_UP", 10)
        return analyse(search.results())


UNTOLD = ("augmentations.high_contrast", "perceptual.backbone")


def test_importances_and_effects_rest_on_the_same_trials(analyses: list[Analysis]) -> None:
    for one in analyses:
        rows = {row.name: row for row in one.importances}
        assert rows["augmentations.high_contrast"].compared == (1, 7)
        assert rows["perceptual.backbone"].compared == (6, 2)
        assert rows["temperature"].compared == (4, 4)
        for name, row in rows.items():
            told = name not in UNTOLD
            assert ((row.fanova is not None), (row.ped_anova is not None)) == (told, told)
        assert one.attribution is not None
        for member in one.attribution.members:
            row = rows[f"augmentations.{member.member}"]
            assert row.compared == (member.chosen, member.left_out)
            assert (member.main is None) == (row.fanova is None) == (member.member == "high_contrast")


def test_shares_are_of_what_is_told(analyses: list[Analysis]) -> None:
    for one in analyses:
        for kind in ("fanova", "ped_anova"):
            leaves = [getattr(row, kind) for row in one.importances if row.compared is not None]
            assert sum(share.mean for share in leaves if share) == pytest.approx(1)


def test_the_same_words_stand_in_all_places(analyses: list[Analysis], tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=100, record=True)
    print_analysis(analyses, console)
    lines = [line for line in console.export_text().splitlines() if NOT_ENOUGH in line]
    named = [line.removeprefix("· ").split()[0] for line in lines]
    assert named == 2 * ["high_contrast", "perceptual.backbone", "high_contrast"]
    for one in analyses:
        told = {row[0]: row[1:] for row in importance_table(one).rows}
        assert told["· high_contrast"] == ("1/7", NOT_ENOUGH, "-")
        assert told["perceptual.backbone"] == ("6/2", NOT_ENOUGH, "-")
    effects = {row[0]: row for row in effect_tables(analyses[0])[0].rows}
    assert effects["high_contrast"] == ("high_contrast", "1/7", NOT_ENOUGH, NOT_ENOUGH)
    (chart, *_) = bar_charts("importance", importance_bars(analyses))
    bars = next(trace for trace in chart.data if "error_x" in trace)
    shown = dict(zip(bars["y"], bars["x"], strict=True))
    assert shown[f"· high_contrast ({NOT_ENOUGH})"] is None
    assert shown[f"perceptual.backbone ({NOT_ENOUGH})"] is None
    assert f"perceptual.backbone ({NOT_ENOUGH})" in chart.alt
    assert effect_bars(analyses)[0].rows[-1] == f"high_contrast ({NOT_ENOUGH})"
    assert len(draw_pictures(analyses, tmp_path)) == 3
    table, *_ = write_tables(analyses, tmp_path)
    with table.open() as file:
        cells = {row["setting"]: row for row in csv.DictReader(file)}
    for name, row in cells.items():
        metrics = [row[f"{kind}{end}"] for kind in ("fanova", "ped_anova") for end in ("", "_low", "_high")]
        assert all(figure == "" for figure in metrics) == (name in UNTOLD)
    untold = cells["augmentations.high_contrast"]
    assert (untold["trials"], untold["trials_one_side"], untold["trials_other_side"]) == ("8", "1", "7")


def test_an_interval_is_wide_where_trials_are_few_and_narrow_where_they_agree(
    analyses: list[Analysis],
) -> None:
    crop = next(row for row in analyses[1].importances if row.name == "augmentations.crop")
    assert crop.fanova is not None
    assert crop.fanova.low < crop.fanova.mean < crop.fanova.high
    assert crop.fanova.high - crop.fanova.low > 0.1  # of eight trials


def test_enough_is_the_same_on_every_side() -> None:
    assert enough(SUPPORT, SUPPORT)
    assert enough(SUPPORT, 99, SUPPORT, SUPPORT)
    assert not enough(SUPPORT - 1, 99)


@pytest.mark.parametrize(
    ("values", "ordered", "expected"),
    [
        (["a", "b", "a", "c", "a", "b"], False, (3, 2)),
        (["a", "a"], False, (2, 0)),
        ([0.3, 0.1, 0.2, 0.4], True, (2, 2)),
        ([1, 1, 1, 1, 5], True, (1, 4)),
        ([1, 2, 2, 2, 2, 2], True, (5, 1)),
        ([7, 7, 7], True, (0, 3)),
    ],
)
def test_sides_by_hand(values: list[str | float], ordered: bool, expected: tuple[int, int]) -> None:
    assert sides(values, ordered=ordered) == expected


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_numbers_are_cut_where_the_sides_are_most_even(values: list[int]) -> None:
    above, below = sides(values, ordered=True)
    cuts = [sum(value > cut for value in values) for cut in range(-1, 6)]
    assert min(above, below) == max(min(cut, len(values) - cut) for cut in cuts)
    assert above + below == len(values)
    assert above in cuts


def test_an_estimate_sums_up_its_draws() -> None:
    estimate = Estimate.of(range(1, 1002))
    assert (estimate.mean, estimate.low, estimate.high) == (501, 26, 976)
    assert estimate.clear
    assert not Estimate(0.1, -0.1, 0.3).clear
