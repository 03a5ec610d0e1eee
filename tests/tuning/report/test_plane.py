"""All trials as points, and augmentations that are searched alone."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from rich.console import Console
from typer.testing import CliRunner

from dcodr.errors import UserError
from tests.tuning.report.searches import confirm
from tuning.analysis.analysis import analyse
from tuning.cli import app
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.ledger.storage import LEDGER
from tuning.ledger.trials import FirstTrial
from tuning.report.analysis_text import print_analysis
from tuning.report.plane import draw_trials, write_trials
from tuning.report.tables import alone_table, subset_alone
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import load_space

ALONE = """
base: {preset: synthetic, overrides: {encoder: {arch: small, weights: null}}}
params: {augmentations: {type: subset, members: [crop, gaussian_blur, grayscale, affine], max_size: 1}}
objectives: {invariance: maximize, informativeness: maximize}
search: {trials: 13, warm_start: {paper: false}}
"""
METRICS = {"crop": (0.8, 0.9), "gaussian_blur": (0.9, 0.7), "grayscale": (0.7, 0.8), "affine": (0.6, 0.95)}
TEMPERATURES = ALONE.replace(
    "{augmentations: {type: subset, members: [crop, gaussian_blur, grayscale, affine], max_size: 1}}",
    "{temperature: {type: float, low: 0.05, high: 0.5}}",
)
ACCURACIES = ALONE.replace("invariance: maximize", "domain_accuracy: minimize").replace(
    "informativeness: maximize", "accuracy/pose: maximize, error/x: minimize"
)


def search_of(
    folder: Path,
    text: str,
    rows: Sequence[Sequence[float]],
    first: Sequence[FirstTrial] = (),
    chance: Mapping[str, float] = MappingProxyType({}),
) -> Search:
    """Return a search whose trials reach these objectives, in the order in which they begin."""
    (folder / "s.yaml").write_text(text)
    space = load_space(folder / "s.yaml")
    search = Search(folder, Ledger.create(folder / LEDGER, space, {"run_id": "r"}, first))
    search.ledger.ready(SpaceSampler)
    for row in rows:
        begun = Queue(search.ledger).begin()
        assert begun is not None
        metrics = dict(zip(space.objectives, row, strict=True)) | dict(chance)
        search.ledger.note_epoch(begun.number, 4, training={}, metrics=metrics, intervals={})
        search.ledger.end(begun.number, full_budget=True)
    return search


def alone(folder: Path) -> Search:
    first = [FirstTrial({"augmentations": (name,)}, "here") for name in METRICS]
    return search_of(folder, ALONE, list(METRICS.values()), first)


def drawn(search: Search) -> Axes:
    """Return the axes of the picture of a search's trials."""
    (axes,) = draw_trials(search.results()).axes
    return axes


def marked(axes: Axes) -> dict[str, list[list[float]]]:
    """Return the positions of the points, by the text of the legend."""
    return {str(group.get_label()): positions(group) for group in axes.collections}


def positions(group: Collection) -> list[list[float]]:
    return [[float(x), float(y)] for x, y in np.asarray(group.get_offsets())]


def labels(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_augmentations_alone_are_named_and_the_front_joined(tmp_path: Path) -> None:
    search = alone(tmp_path)
    table, picture = write_trials(search.results(), tmp_path)
    assert picture.read_bytes().startswith(b"\x89PNG")
    axes = drawn(search)
    assert sorted(labels(axes)) == sorted(METRICS)
    found = marked(axes)
    assert sorted(map(tuple, found["front"] + found["other trials"])) == sorted(METRICS.values())
    assert found["best trade-off"] == [[0.8, 0.9]]
    line = axes.lines[0]
    assert np.asarray(line.get_xydata()).tolist() == [[0.6, 0.95], [0.8, 0.9], [0.9, 0.7]]
    assert line.get_drawstyle() == "steps-pre"
    with table.open() as file:
        rows = {row["augmentations"]: row["on_front"] for row in csv.DictReader(file)}
    assert rows == {"crop": "True", "gaussian_blur": "True", "grayscale": "False", "affine": "True"}


def test_other_trials_have_their_numbers_and_the_papers_are_called_so(tmp_path: Path) -> None:
    first = [FirstTrial({"temperature": 0.1}, "paper")]
    axes = drawn(search_of(tmp_path, TEMPERATURES, [(0.5, 0.5), (0.6, 0.6), (0.4, 0.4)], first))
    assert labels(axes) == ["001", "paper", "002"]
    assert marked(axes)["the paper's settings"] == [[0.5, 0.5]]
    assert marked(axes)["best trade-off"] == [[0.6, 0.6]]


def test_the_front_of_a_minimised_objective_is_joined_from_its_side(tmp_path: Path) -> None:
    text = TEMPERATURES.replace("invariance: maximize", "domain_accuracy: minimize")
    rows = [(0.1, 0.5), (0.3, 0.8), (0.2, 0.4)]
    axes = drawn(search_of(tmp_path, text, rows, chance={"chance/domain": 0.05}))
    assert axes.lines[0].get_label() == "chance of domain_accuracy"
    assert axes.lines[0].get_xdata() == [0.05, 0.05]
    assert axes.lines[1].get_drawstyle() == "steps-post"


def test_a_front_of_three_objectives_is_marked_and_not_joined(tmp_path: Path) -> None:
    rows = [(0.1, 0.5, 0.3), (0.2, 0.4, 0.2), (0.3, 0.3, 0.4)]
    axes = drawn(search_of(tmp_path, ACCURACIES, rows))
    assert not axes.lines
    assert marked(axes)["front"] == [[0.1, 0.5], [0.2, 0.4]]
    assert marked(axes)["other trials"] == [[0.3, 0.3]]


def test_trials_without_a_confirmation_are_set_apart(tmp_path: Path) -> None:
    search = search_of(tmp_path, TEMPERATURES, [(0.5, 0.5), (0.9, 0.9)])
    confirm(search, 0, [(0.5, 0.3), (0.6, 0.3)])
    found = marked(drawn(search))
    assert found["front"] == [[pytest.approx(0.55), 0.3]]
    assert found["not confirmed"] == [[0.9, 0.9]]


def test_one_objective_makes_no_picture(tmp_path: Path) -> None:
    text = TEMPERATURES.replace(", informativeness: maximize", "")
    written = write_trials(search_of(tmp_path, text, [(0.5,), (0.6,)]).results(), tmp_path / "analysis")
    assert [path.name for path in written] == ["trials.csv"]


def test_without_a_complete_trial_there_is_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no complete trial yet"):
        write_trials(search_of(tmp_path, TEMPERATURES, []).results(), tmp_path)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ("{augmentations: {type: subset, members: [crop, affine], max_size: 1}}", "augmentations"),
        ("{augmentations: {type: subset, members: [crop, affine], max_size: 2}}", None),
        (
            "{augmentations: {type: subset, members: [crop, affine], max_size: 1}, "
            "temperature: {type: float, low: 0.1, high: 0.2}}",
            None,
        ),
        (
            "{augmentations: {type: subset, members: [crop], max_size: 1, "
            "strengths: {crop: {min_scale: {type: float, low: 0.3, high: 0.8}}}}}",
            None,
        ),
        ("{temperature: {type: float, low: 0.1, high: 0.2}}", None),
    ],
)
def test_when_augmentations_are_searched_alone(tmp_path: Path, params: str, expected: str | None) -> None:
    text = ALONE.splitlines()
    text[2] = f"params: {params}"
    (tmp_path / "s.yaml").write_text("\n".join(text))
    assert subset_alone(load_space(tmp_path / "s.yaml")) == expected


def test_augmentations_alone_are_ranked_by_the_first_objective(tmp_path: Path) -> None:
    search = alone(tmp_path)
    assert alone_table(search.results(), "augmentations").rows == [
        ("blur", "0.900", "0.700", "yes"),
        ("crop", "0.800", "0.900", "yes"),
        ("grayscale", "0.700", "0.800", ""),
        ("affine", "0.600", "0.950", "yes"),
    ]
    confirmed = search.trials()[1]
    assert confirmed.values["augmentations"] == ("gaussian_blur",)
    confirm(search, confirmed.number, [(0.5, 0.5), (0.7, 0.5)])
    ranked = alone_table(search.results(), "augmentations").rows
    assert [row[0] for row in ranked] == ["crop", "grayscale", "blur", "affine"]
    assert ranked[2] == ("blur", "0.600", "0.500", "yes")


def test_the_command_ranks_augmentations_alone_and_estimates_no_effects(tmp_path: Path) -> None:
    folder = tmp_path / "single"
    folder.mkdir()
    alone(folder)
    done = CliRunner().invoke(app, ["analyse", "single", "--storage", str(tmp_path)], catch_exceptions=False)
    assert {path.name for path in (folder / "analysis").iterdir()} == {"trials.csv", "trials.png"}
    assert "blur" in done.stdout
    assert "fANOVA" not in done.stdout


def test_sets_of_one_member_have_no_effects_beside_other_settings_either(tmp_path: Path) -> None:
    text = ALONE.replace("params: {", "params: {temperature: {type: float, low: 0.05, high: 0.5}, ")
    rng = np.random.default_rng(0)
    analyses = analyse(search_of(tmp_path, text, rng.random((8, 2)).tolist()).results())
    assert [one.attribution for one in analyses] == [None, None]
    console = Console(file=io.StringIO(), width=80, record=True)
    print_analysis(analyses, console)
    assert "No effects of augmentations" in console.export_text()
