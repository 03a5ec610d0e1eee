"""The nearest neighbours of the same queries under the paper's settings and under the best trade-off."""

from pathlib import Path

from PIL import Image, ImageOps

from dcodr.data.sheet import BACKGROUND, GAP, MARGIN, below, text
from dcodr.errors import UserError
from dcodr.files import appearing
from tuning.ledger.trials import TrialRecord
from tuning.report.chart import number, reached
from tuning.report.details import picture_file
from tuning.results.results import BEFORE_AFTER, Results

RETRIEVAL = "retrieval"
"""Kind of a trial's picture of neighbours; those of all trials show the same queries."""


def before_and_after(results: Results) -> list[tuple[str, TrialRecord]]:
    """Return the trainings whose pictures of neighbours are to be compared.

    A trial without a picture, e.g. of a search that was continued on another machine, is represented by one
    of its confirmations.

    Returns:
        A caption and a training of the paper's settings, then of the best trade-off; empty if the two are the
        same trial, there is no picture of one of them, or there is no front.
    """
    if results.baseline is None or not results.front or results.best_tradeoff == results.baseline:
        return []
    found = []
    for name, trial in (
        (results.space.baseline, results.baseline),
        ("the best trade-off", results.best_tradeoff),
    ):
        pictured = (
            run
            for run in (trial, *results.trainings(trial))
            if picture_file(results, run.number, RETRIEVAL).is_file()
        )
        if (run := next(pictured, None)) is None:
            return []
        found.append((f"Trial {number(trial)}, {name}: {reached(results.objectives(trial))}", run))
    return found


def write_before_after(results: Results, folder: Path) -> list[Path]:
    """Write the pictures of :func:`before_and_after` as one, if there are any.

    Raises:
        UserError: If a picture cannot be read or written.
    """
    blocks = []
    for caption, run in before_and_after(results):
        path = picture_file(results, run.number, RETRIEVAL)
        try:
            with Image.open(path) as file:
                picture = file.convert("RGB")
        except (OSError, Image.DecompressionBombError) as error:
            raise UserError(f"cannot read the picture {path}: {error}") from None
        title = text(caption, 18, max(1, picture.width - 2 * MARGIN))
        title = ImageOps.expand(title, (MARGIN, MARGIN, MARGIN, 0), BACKGROUND)
        blocks.append(below([title, picture], gap=0))
    if not blocks:
        return []
    with appearing(folder / BEFORE_AFTER) as temporary:
        below(blocks, GAP).save(temporary, format="png", optimize=True)
    return [folder / BEFORE_AFTER]
