"""Neighbours of the same images under the paper's settings and under the best trade-off."""

import re
from pathlib import Path

import pytest
from PIL import Image

from dcodr.errors import UserError
from tests.tuning.report.searches import made
from tuning.ledger.trials import kept_of
from tuning.report.before_after import before_and_after, write_before_after
from tuning.report.page import render
from tuning.results.search import Search

PAPER, BEST = (0.5, 0.5), (0.9, 0.75)


def drawn(search: Search, number: int, color: str) -> None:
    """Give a trial a picture of neighbours in one colour."""
    path = kept_of(search.folder, number) / "retrieval.png"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (300, 200), color).save(path)


def confirmed(search: Search, trial: int, seed: int, value: tuple[float, float]) -> None:
    """Train a trial's settings again; the training reaches these objectives."""
    begun = search.ledger.confirm(trial, seed)
    metrics = dict(zip(search.space.objectives, value, strict=True))
    search.ledger.note_epoch(begun.number, 2, training={}, metrics=metrics, intervals={})
    search.ledger.end(begun.number, full_budget=True)


def test_the_papers_neighbours_are_above_those_of_the_best_tradeoff(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [PAPER, BEST])
    drawn(search, 0, "red")
    drawn(search, 1, "blue")
    (file,) = write_before_after(search.results(), tmp_path)
    with Image.open(file) as picture:
        column = [picture.getpixel((150, y)) for y in range(picture.height)]
    assert column.count((255, 0, 0)) == column.count((0, 0, 255)) == 200
    assert column.index((255, 0, 0)) < column.index((0, 0, 255))


def test_the_page_shows_both_with_their_metrics(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [PAPER, BEST])
    drawn(search, 0, "red")
    drawn(search, 1, "blue")
    captions = re.findall("<figcaption>(Trial.*?)</figcaption>", render(search.results()))
    assert [caption.replace("&#39;", "'") for caption in captions[:2]] == [
        "Trial 000, the paper's settings: invariance 0.500, informativeness 0.500",
        "Trial 001, the best trade-off: invariance 0.900, informativeness 0.750",
    ]


def test_a_confirmation_stands_for_a_trial_whose_picture_is_missing(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [PAPER, BEST])
    for trial, value in ((0, PAPER), (1, BEST)):
        for seed in (1, 2):
            confirmed(search, trial, seed, value)
    drawn(search, 1, "blue")
    drawn(search, 3, "red")
    assert [run.number for _, run in before_and_after(search.results())] == [3, 1]


@pytest.mark.parametrize(
    ("values", "paper", "pictures"),
    [
        ([BEST, PAPER], True, [0, 1]),  # the paper's settings are the best trade-off
        ([PAPER, BEST], False, [0, 1]),  # no trial has the paper's settings
        ([PAPER, BEST], True, [1]),  # the paper's picture is missing
    ],
)
def test_there_is_no_picture_without_two_trials_to_compare(
    values: list[tuple[float, float]], paper: bool, pictures: list[int], tmp_path: Path
) -> None:
    search = made(tmp_path / "s", values, paper=paper)
    for number in pictures:
        drawn(search, number, "red")
    assert before_and_after(search.results()) == []
    assert write_before_after(search.results(), tmp_path / "out") == []
    assert not (tmp_path / "out").exists()


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    search = made(tmp_path / "s", [PAPER, BEST])
    drawn(search, 0, "red")
    drawn(search, 1, "blue")
    broken = kept_of(search.folder, 1) / "retrieval.png"
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(UserError, match=f"cannot read the picture {re.escape(str(broken))}"):
        write_before_after(search.results(), tmp_path)
