"""Datasets of torchvision: objects whose items are an image and a label."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

from PIL import Image

from dcodr.data.dataset import RawDataset
from dcodr.data.sources.images import Progress
from dcodr.data.sources.labelled import SPLIT, Listing, Options, Warn, labelled
from dcodr.data.sources.table import LabelTable
from dcodr.errors import UserError

Domain = Literal["label", "dataset"]
_BY_FLAG = {"train": {"train": True}, "test": {"train": False}}
_BY_NAME = {"train": {"split": "train"}, "test": {"split": "test"}}
SAFE: dict[str, Mapping[str, Mapping[str, Any]]] = {
    "MNIST": _BY_FLAG,
    "FashionMNIST": _BY_FLAG,
    "KMNIST": _BY_FLAG,
    "QMNIST": _BY_FLAG,
    "USPS": _BY_FLAG,
    "SVHN": _BY_NAME,
    "STL10": _BY_NAME,
}
"""Datasets in files of plain numbers, and the arguments that open each of their splits.

Read in torchvision 0.29: none of them unpickles anything, or opens images by a format that its file chooses.
"""
PICKLED = ("CIFAR10", "CIFAR100", "LSUN")
"""Datasets whose files are pickles, which execute code when they are read."""
_ROW = "row"
DEFAULTS = Options()


class _Items(Sequence[Image.Image]):
    """Images of datasets that follow each other."""

    def __init__(self, parts: Sequence[Any], rows: Sequence[tuple[int, int]]) -> None:
        self._parts, self._rows = parts, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, row: int) -> Image.Image: ...

    @overload
    def __getitem__(self, row: slice) -> Sequence[Image.Image]: ...

    def __getitem__(self, row: int | slice) -> Image.Image | Sequence[Image.Image]:
        if isinstance(row, slice):
            return [self[one] for one in range(*row.indices(len(self)))]
        part, index = self._rows[row]
        image: Image.Image = self._parts[part][index][0]
        return image


def read_torchvision(
    names: Sequence[str],
    root: Path,
    name: str,
    domain: Domain = "label",
    options: Options = DEFAULTS,
    on_progress: Progress | None = None,
    *,
    warn: Warn = warnings.warn,
) -> RawDataset:
    """Read datasets of torchvision that are on the disk already; nothing is downloaded or unpickled.

    Args:
        names: Names of classes in ``torchvision.datasets``, of ``SAFE``.
        root: The folder that is their argument ``root``.
        name: The dataset's name.
        domain: See :func:`read_items`.
        options: The user's choices.
        on_progress: Called with the number of images read and of all images.
        warn: Called with a message about what is assumed.

    Raises:
        UserError: If a dataset is not there, is damaged, or cannot be read safely.
    """
    opened = {one: {split: _open(one, split, root) for split in _splits(one)} for one in names}
    return read_items(opened, name, domain, options, on_progress, warn=warn)


def read_items(
    datasets: Mapping[str, Mapping[str, Any]],
    name: str,
    domain: Domain = "label",
    options: Options = DEFAULTS,
    on_progress: Progress | None = None,
    *,
    warn: Warn = warnings.warn,
) -> RawDataset:
    """Read objects whose items are ``(image, label)``, as the datasets of torchvision without transforms.

    Args:
        datasets: By name, and then by split (``train``, ``validation``, ``test``), objects with a length and
            items of an image of Pillow and a whole number. Their ``classes`` name the labels if all
            datasets have the same; otherwise the numbers do.
        name: The dataset's name.
        domain: ``label`` if codes should not contain the label; with several datasets, ``dataset`` is then an
            attribute. ``dataset`` if codes should not contain which dataset an image is from, but the label.
        options: The user's choices.
        on_progress: Called with the number of images read and of all images.
        warn: Called with a message about what is assumed.

    Returns:
        See :func:`dcodr.data.sources.folder.read_folder`.

    Raises:
        UserError: If an item is anything else, or a label cannot be used.
    """
    if domain == "dataset" and len(datasets) < 2:
        raise UserError("only 1 dataset; at least 2 are needed with the dataset as domain; give another one")
    title = " + ".join(datasets)
    parts = [(one, split, data) for one, splits in datasets.items() for split, data in splits.items()]
    names = {tuple(map(str, getattr(data, "classes", ()))) for _, _, data in parts}
    shared = names.pop() if len(names) == 1 else ()
    if not shared and len(datasets) > 1:
        warn(f"{title} name their classes differently, so the number of a class is its name in all of them")
    rows: list[tuple[int, int]] = []
    columns: dict[str, list[str]] = {_ROW: [], "label": [], "dataset": [], SPLIT: []}
    for part, (one, split, data) in enumerate(parts):
        labels = [_label(data, index, f"{one}, {split}, image {index}", shared) for index in range(len(data))]
        rows += [(part, index) for index in range(len(labels))]
        columns["label"] += [shared[label] if shared else str(label) for label in labels]
        columns["dataset"] += [one] * len(labels)
        columns[SPLIT] += [split] * len(labels)
    columns[_ROW] = [str(row) for row in range(len(rows))]
    places = [f"image {index} of {parts[part][0]}, {parts[part][1]}" for part, index in rows]
    attributes = [
        one for one in ("label", "dataset") if one != domain and (one == "label" or len(datasets) > 1)
    ]
    listing = Listing(
        LabelTable(title, places, columns),
        key="image",
        domain=domain,
        attributes=attributes,
        pictures=lambda table: _Items(
            [data for *_, data in parts], [rows[int(row)] for row in table.columns[_ROW]]
        ),
        source=f"{title} of torchvision",
    )
    return labelled(listing, name, options, on_progress, warn)


def _label(data: Any, index: int, where: str, classes: Sequence[str]) -> int:
    """Return the label of an item, the number of a class."""
    image, label = data[index]
    try:
        number = int(label)
    except (TypeError, ValueError):
        number = None
    if not isinstance(image, Image.Image) or number is None:
        raise UserError(
            f"{where}: an item is {type(image).__name__}, {type(label).__name__}; expected an image of "
            "Pillow and a whole number: open the dataset without transforms"
        )
    # -1 is torchvision's label of an image without one.
    if number < 0 or (classes and number >= len(classes)):
        raise UserError(f"{where}: label {number} is not the number of a class; leave unlabelled images out")
    return number


def _splits(name: str) -> Mapping[str, Mapping[str, Any]]:
    if name in SAFE:
        return SAFE[name]
    known = ", ".join(SAFE)
    if name in PICKLED:
        raise UserError(
            f"torchvision's {name} consists of pickles, which can execute code when they are read, so it is "
            "refused. Get it from elsewhere as images in folders and use `python -m dcodr data prepare "
            "folder --root FOLDER`, or as a dataset of Hugging Face and use `prepare huggingface`. These are "
            f"read: {known}"
        )
    raise UserError(
        f"torchvision's {name} is not read as such. Most of its datasets are folders of images: use "
        "`python -m dcodr data prepare folder --root FOLDER`, or its --csv. These are read: "
        f"{known}"
    )


def _open(name: str, split: str, root: Path) -> Any:
    from torchvision import datasets

    try:
        return getattr(datasets, name)(root=str(root), download=False, **SAFE[name][split])
    # A missing or damaged file makes torchvision raise many kinds of exceptions.
    except Exception as error:
        command = (
            f"torchvision.datasets.{name}({str(root)!r}, download=True, {_arguments(SAFE[name][split])})"
        )
        raise UserError(
            f"{root}: no complete {name} ({(str(error).splitlines() or [type(error).__name__])[0]}); to "
            f'download it: python -c "import torchvision; {command}"'
        ) from error


def _arguments(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())
