"""Images of any origin with a table of their labels, made a dataset.

A column of numbers, of which at least one has a decimal point or an exponent, is a continuous attribute. Any
other column is categorical; its classes are sorted as numbers if all are numbers, otherwise as text.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dcodr.data.dataset import SPLITS, Attribute, DatasetSpec, FitMode, Labels, RawDataset, stratified_split
from dcodr.data.labels import NAME
from dcodr.data.sources.cells import MISSING, NUMBER, class_names, doubts, is_continuous, same_classes
from dcodr.data.sources.choice import draw, of_large_domains
from dcodr.data.sources.image_files import PADDING, Picture
from dcodr.data.sources.images import Progress
from dcodr.data.sources.squares import Squares
from dcodr.data.sources.table import LabelTable
from dcodr.errors import UserError
from dcodr.mistakes import Mistakes
from dcodr.words import for_reader, option

Warn = Callable[[str], object]
SPLIT = "split"
"""The column that assigns images to splits."""
SPLIT_NAMES = {"train": 0, "training": 0, "val": 1, "valid": 1, "validation": 1, "test": 2, "testing": 2}
"""Names of the splits in lower case, as users write them, and their index into ``SPLITS``."""
_FITTED: dict[FitMode, str] = {
    "crop": "centre squares resized",
    "pad": f"padded to squares with {PADDING} and resized",
    "stretch": "stretched",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The user's choices of how images and labels are read.

    Attributes:
        image_size: Height and width to resize to, in pixels.
        fit: How a rectangular image becomes a square; see :func:`dcodr.data.sources.image_files.square`.
        continuous: Attributes to take as continuous though their values are all integers.
        categorical: Attributes to take as categorical though their values are numbers.
        cyclic: Attributes whose last class is a neighbour of the first, such as angles.
        margin: For some attributes the largest distance, in classes, that counts as a match in retrieval.
        min_per_domain: Domains of fewer images are dropped.
        subsample: Number of images to draw, in proportion to the domains' sizes; ``None`` for all.
        seed: Seed of the draw, and of splits that a table leaves open.
    """

    image_size: int = 64
    fit: FitMode = "crop"
    continuous: Collection[str] = ()
    categorical: Collection[str] = ()
    cyclic: Collection[str] = ()
    margin: Mapping[str, int] = field(default_factory=dict)
    min_per_domain: int = 0
    subsample: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Listing:
    """Images with texts as labels.

    Attributes:
        table: The labels, and perhaps a column ``split``.
        key: The column that messages about an image name.
        domain: The column of the domain.
        attributes: The columns of attributes.
        pictures: Returns the images of the rows of a table.
        identity: See :class:`dcodr.data.sources.squares.Squares`; called with these images too.
        source: Names the origin in the store.
        mistakes: Errors of the table, such as empty cells, to be told with those of its labels.
    """

    table: LabelTable
    key: str
    domain: str
    attributes: Sequence[str]
    pictures: Callable[[LabelTable], Sequence[Picture]]
    source: str
    identity: Callable[[Sequence[Any], range], str] | None = None
    mistakes: Sequence[UserError] = ()


def labelled(
    listing: Listing, name: str, options: Options, on_progress: Progress | None, warn: Warn
) -> RawDataset:
    """Read labels at once; images are read when they are asked for.

    Args:
        listing: Images and texts.
        name: The dataset's name.
        options: The user's choices.
        on_progress: Called with the number of images read and of all images.
        warn: Called with a message about columns of doubtful type, dropped images, and unusual images.

    Raises:
        UserError: If labels, paths or options cannot be used; the message names all by their places. Columns
            as a whole are judged once their cells are right.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"dataset name {name!r}: give one of letters, digits, - and _ with {option('name')}")
    wrong = Mistakes()
    wrong.found.extend(listing.mistakes)
    table, notes = _chosen(listing, options, warn, wrong)
    _check_cells(table, listing, options, wrong)
    columns = None if wrong.found else _columns(table, listing, name, options, warn, wrong)
    with wrong.collected():
        _check_names(table, listing.attributes)
    with wrong.collected():
        _check_options(table, listing.attributes, options)
    with wrong.collected():
        pictures = listing.pictures(table)
    wrong.refuse()
    assert columns is not None
    spec, domain, attributes, split = columns
    identity = listing.identity
    squares = Squares(
        pictures,
        options.image_size,
        options.fit,
        lambda row, why: table.error(row, listing.key, why),
        warn,
        on_progress,
        processes=True,
        identity=None if identity is None else partial(identity, pictures),
    )
    size = f"{options.image_size} x {options.image_size}"
    return RawDataset(
        spec,
        squares,
        domain,
        attributes,
        f"{listing.source}, {_FITTED[options.fit]} to {size}",
        split,
        {"fit": options.fit, **notes, **({} if split is None else {"split": "as labelled"})},
    )


def _chosen(
    listing: Listing, options: Options, warn: Warn, wrong: Mistakes
) -> tuple[LabelTable, dict[str, str]]:
    """Return the rows to read, and notes on those left out, which the user is told too."""
    table, notes = listing.table, dict[str, str]()
    if listing.mistakes:  # the choice would depend on labels that are missing
        return table, notes
    with wrong.collected():
        if options.min_per_domain > 1:
            rows, notes["dropped"] = of_large_domains(table.columns[listing.domain], options.min_per_domain)
            table = table.take(rows)
        if options.subsample is not None:
            _refuse_missing(table, listing.domain)
            _domains(table, listing.domain, warn)
            splits = table.columns.get(SPLIT)
            train = None if splits is None else [SPLIT_NAMES.get(cell.lower()) == 0 for cell in splits]
            domains = table.columns[listing.domain]
            rows, notes["subsample"] = draw(domains, options.subsample, options.seed, train)
            table = table.take(rows)
    return table, notes


def _check_cells(table: LabelTable, listing: Listing, options: Options, wrong: Mistakes) -> None:
    for column in (listing.domain, *listing.attributes):
        with wrong.collected():
            _refuse_missing(table, column)
        if column in options.continuous and column in listing.attributes:
            with wrong.collected():
                _refuse_words(table, column)
    if SPLIT in table.columns:
        with wrong.collected():
            _check_splits(table)


def _columns(
    table: LabelTable, listing: Listing, name: str, options: Options, warn: Warn, wrong: Mistakes
) -> tuple[DatasetSpec, npt.NDArray[np.int64], dict[str, Labels], npt.NDArray[np.uint8] | None] | None:
    """Return the spec, the domains, the attributes and perhaps the splits; ``None`` if a column is wrong."""
    kinds, attributes = [], {}
    for column in listing.attributes:
        with wrong.collected():
            kind, attributes[column] = _attribute(table, column, options, warn)
            kinds.append(kind)
    with wrong.collected():
        domains, domain = _domains(table, listing.domain, warn)
        split = _split(table, domain, options.seed, warn) if SPLIT in table.columns else None
    if wrong.found:
        return None
    spec = DatasetSpec(name=name, domain=listing.domain, attributes=tuple(kinds), domains=domains)
    return spec, domain, attributes, split


def _check_names(table: LabelTable, attributes: Sequence[str]) -> None:
    wrong = []
    for name in attributes:
        if not NAME.fullmatch(name):
            wrong.append(f"column {name}: rename it; letters, digits, - and _ are allowed")
        if name == "all":
            wrong.append("column all: rename it; metrics use it for all attributes together")
    if wrong:
        raise UserError.of(UserError(f"{table.source}, {one}") for one in wrong)


def _check_options(table: LabelTable, attributes: Sequence[str], options: Options) -> None:
    kinds = {
        "continuous": options.continuous,
        "categorical": options.categorical,
        "cyclic": options.cyclic,
        "given a margin": options.margin,
    }
    known = ", ".join(attributes) or "none"
    wrong = [
        f"{table.source} has no attribute {name} to be {kind}; its attributes: {known}"
        for kind, names in kinds.items()
        for name in names
        if name not in attributes
    ]
    wrong += [
        f"{name} cannot be both continuous and categorical: choose one"
        for name in options.continuous
        if name in options.categorical
    ]
    if wrong:
        raise UserError.of(map(UserError, wrong))


def _domains(table: LabelTable, column: str, warn: Warn) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    names, ids = _classes(table, column, warn)
    if len(names) < 2:
        raise table.error(0, column, f"all rows have the domain {names[0]}; at least 2 are needed")
    wrong = [
        table.error(
            row,
            column,
            f"domain {names[ids[row]]} has only this image; contrastive training needs at least 2 of "
            "every domain: add images, remove the row, or drop such domains with "
            f"{option('min-per-domain', 2)}",
        )
        for row in _alone(ids)
    ]
    if wrong:
        raise table.errors(wrong, "domains of one image")
    return names, ids


def _alone(domain: npt.NDArray[np.int64]) -> list[int]:
    """Return the positions of images that are the only ones of their domains."""
    alone: list[int] = np.flatnonzero(np.bincount(domain)[domain] < 2).tolist()
    return alone


def _attribute(table: LabelTable, column: str, options: Options, warn: Warn) -> tuple[Attribute, Labels]:
    """Read an attribute and its labels; guess the kind from the cells unless it is given."""
    cells = table.columns[column]
    if len(set(cells)) == 1:
        raise table.error(0, column, f"all rows have the same value, {cells[0]}: remove the column")
    measured = column in options.continuous or (column not in options.categorical and is_continuous(cells))
    # Warn only if the kind was guessed. An option settles it.
    if column not in {*options.continuous, *options.categorical}:
        taken = "continuous" if measured else f"{len(set(cells))} classes"
        settled = f"{_of('continuous', column)} or {_of('categorical', column)} settles it"
        for doubt in doubts(cells, table.places):
            warn(f"{table.source}, column {column}: taken as {taken}, though {doubt}; {settled}")
    if not measured:
        names, ids = _classes(table, column, warn)
        return _categorical(table, column, names, options, warn), ids
    for kind in ("cyclic", "margin"):
        if column in getattr(options, kind):
            asked = _of("cyclic", column) if kind == "cyclic" else _margin(column, options.margin[column])
            raise UserError(
                f"{asked}: it is a continuous attribute of {table.source}, but {kind} is about classes: add "
                f"{_of('categorical', column)}, or group its values in few classes"
            )
    _refuse_words(table, column)
    return Attribute(column, cardinality=None), np.array(cells, dtype=np.float32)[:, None]


def _of(kind: str, column: str) -> str:
    """Name an option for one attribute."""
    return for_reader(f"--{kind} {column}", f"{kind}=[{column!r}]")


def _margin(column: str, steps: int) -> str:
    return for_reader(f"--margin {column}={steps}", f"margin={{{column!r}: {steps}}}")


def _categorical(
    table: LabelTable, column: str, names: tuple[str, ...], options: Options, warn: Warn
) -> Attribute:
    cyclic, margin = column in options.cyclic, options.margin.get(column, 0)
    asked = _of("cyclic", column) if cyclic else _margin(column, margin)
    if cyclic or margin:
        if words := [name for name in names if not NUMBER.fullmatch(name)]:
            raise UserError(
                f"{asked}: the classes of {column} in {table.source} have no known order, as {words[0]} is "
                "not a number: number them in their order"
            )
        if margin > (most := (len(names) - 1) // 2 if cyclic else len(names) - 2):
            raise UserError(
                f"{_margin(column, margin)}: with {len(names)} classes every answer would count as correct; "
                f"give at most {max(0, most)}"
            )
        steps = {round(float(after) - float(before), 6) for before, after in pairwise(names)}
        if len(steps) > 1:
            warn(
                f"{table.source}, column {column}: its classes are not equally spaced (steps of "
                f"{', '.join(f'{step:g}' for step in sorted(steps))}), but {asked} counts each as one step"
            )
    return Attribute(column, cardinality=len(names), cyclic=cyclic, margin=margin, classes=names)


def _refuse_missing(table: LabelTable, column: str) -> None:
    wrong = [
        table.error(
            row,
            column,
            f"{cell} is not a label but marks a missing value: fill it in, remove the row or, if it is the "
            "name of a class, write another name",
        )
        for row, cell in enumerate(table.columns[column])
        if MISSING.fullmatch(cell)
    ]
    if wrong:
        raise table.errors(wrong, f"missing values in column {column}")


def _refuse_words(table: LabelTable, column: str) -> None:
    # Numbers beyond float32 would become infinite.
    most = float(np.finfo(np.float32).max)
    wrong = [
        table.error(row, column, f"{cell} is not a finite number: correct it or remove the row")
        for row, cell in enumerate(table.columns[column])
        if cell and not MISSING.fullmatch(cell) and (not NUMBER.fullmatch(cell) or abs(float(cell)) > most)
    ]
    if wrong:
        raise table.errors(wrong, f"cells without a number in column {column}")


def _classes(table: LabelTable, column: str, warn: Warn) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Return the distinct cells of a column in order, and the index of each row's cell."""
    cells = table.columns[column]
    names = class_names(cells)
    for same in same_classes(names):
        rows = ", ".join(f"{name!r} on {table.places[cells.index(name)]}" for name in same)
        warn(
            f"{table.source}, column {column}: taken as {len(same)} classes: {rows}; spell them alike if "
            "they are one"
        )
    ids = {name: index for index, name in enumerate(names)}
    return names, np.array([ids[cell] for cell in cells], dtype=np.int64)


def _split(table: LabelTable, domain: npt.NDArray[np.int64], seed: int, warn: Warn) -> npt.NDArray[np.uint8]:
    """Return the splits of the column. One that no row has is drawn from the training images, and said so."""
    split = np.array([SPLIT_NAMES[cell.lower()] for cell in table.columns[SPLIT]], np.uint8)
    counts = np.bincount(split, minlength=len(SPLITS))
    absent = [name for name in SPLITS[1:] if not counts[SPLITS.index(name)]]
    train = np.flatnonzero(split == 0)
    if absent and len(train):
        warn(
            f"{table.source}, column {SPLIT}: no image is labelled {' or '.join(absent)}, so a tenth of "
            "every domain's training images is taken for each"
        )
        _refuse_alone(table, domain, train)
        shares = [0.1 if name in absent else 0.0 for name in SPLITS[1:]]
        split[train] = stratified_split(domain[train], seed, (1 - sum(shares), shares[0], shares[1]))
    return split


def _refuse_alone(table: LabelTable, domain: npt.NDArray[np.int64], train: npt.NDArray[np.int64]) -> None:
    """Refuse domains of which one image alone is for training."""
    wrong = [
        table.error(
            row,
            SPLIT,
            "it is the only training image of its domain; contrastive training needs at least 2 of every "
            "domain: add images or leave the domain out",
        )
        for row in train[_alone(domain[train])].tolist()
    ]
    if wrong:
        raise table.errors(wrong, "domains of one training image")


def _check_splits(table: LabelTable) -> None:
    wrong = [
        table.error(
            row, SPLIT, f"{cell} is not a split: write train, validation or test, or rename the column"
        )
        for row, cell in enumerate(table.columns[SPLIT])
        if cell and cell.lower() not in SPLIT_NAMES
    ]
    if wrong:
        raise table.errors(wrong, "values that are not splits")
