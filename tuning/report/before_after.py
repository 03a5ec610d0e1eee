"""The nearest neighbours of the same queries under the paper's settings and under the best trade-off."""

from pathlib import Path

from PIL import Image, ImageOps

from dcodr.data.sheet import BACKGROUND, GAP, MARGIN, below, text
from dcodr.errors import UserError
from dcodr.files import appearing
from tuning.ledger.trials import kept_of
from tuning.report.chart import figure, number
from tuning.results.results import BEFORE_AFTER, Results

RETRIEVAL = "retrieval.png"
"""Name of a trial's picture of neighbours; those of all trials show the same queries."""


def before_and_after(results: Results) -> list[tuple[str, Path]]:
    """Return the pictures of neighbours to compare.

    Returns:
        A caption and the file for the paper's settings, then for the best trade-off; empty if the two are the
        same trial, or a file is missing.
    """
    if results.baseline is None or results.knee == results.baseline:
        return []
    found = []
    for name, trial in ((results.space.baseline, results.baseline), ("the best trade-off", results.knee)):
        reached = ", ".join(f"{key} {figure(value)}" for key, value in results.objectives(trial).items())
        picture = kept_of(results.folder, trial.number) / RETRIEVAL
        found.append((f"Trial {number(trial)}, {name}: {reached}", picture))
    return found if all(picture.is_file() for _, picture in found) else []


def write_before_after(results: Results, folder: Path) -> list[Path]:
    """Write the pictures of :func:`before_and_after` as one, if there are any.

    Returns:
        The file written, if any.

    Raises:
        UserError: If a picture cannot be read or written.
    """
    blocks = []
    for caption, path in before_and_after(results):
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
