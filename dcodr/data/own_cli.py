"""``python -m dcodr data prepare folder``, ``huggingface`` and ``torchvision``: a user's own images."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dcodr.console import note, warn
from dcodr.data.prepare_command import DrawSeed, Force, Out, prepare_store
from dcodr.errors import UserError

if TYPE_CHECKING:
    from dcodr.data.dataset import FitMode
    from dcodr.data.sources.labelled import Options

Fit = Annotated[
    Literal["crop", "pad", "stretch"],
    typer.Option(
        help="How rectangular images become squares: crop takes the central square, pad the whole image "
        "between white bars, stretch the whole image, distorted. New images are later prepared the same way."
    ),
]
ImageSize = Annotated[int, typer.Option(min=16, max=1024, help="Height and width in pixels.")]
Continuous = Annotated[
    list[str] | None,
    typer.Option(help="Attribute to treat as continuous even though its values are integers; repeatable."),
]
Categorical = Annotated[
    list[str] | None,
    typer.Option(help="Attribute to treat as categorical even though its values are numbers; repeatable."),
]
Cyclic = Annotated[
    list[str] | None,
    typer.Option(help="Attribute whose last class is next to its first, such as an angle; repeatable."),
]
Margin = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=N",
        help="Largest distance, in classes, that counts as a match in retrieval, e.g. angle=3; repeatable.",
    ),
]
MinPerDomain = Annotated[
    int, typer.Option(min=0, help="Drop domains of fewer images.", show_default="keep all")
]
Subsample = Annotated[
    int | None,
    typer.Option(min=1, help="Number of images to draw, in proportion to the domains.", show_default="all"),
]
Name = Annotated[str | None, typer.Option(help="Name of the dataset.", show_default="the folder's")]


def folder(
    csv: Annotated[
        Path | None,
        typer.Option(help="Labels: columns path, domain, perhaps split, and one per attribute, if any."),
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            help="Without --csv, the folder that holds one folder for each domain, or for each split and in "
            "it for each domain. With --csv, the folder that its paths are relative to (by default its own)."
        ),
    ] = None,
    name: Name = None,
    image_size: ImageSize = 64,
    fit: Fit = "crop",
    continuous: Continuous = None,
    categorical: Categorical = None,
    cyclic: Cyclic = None,
    margin: Margin = None,
    min_per_domain: MinPerDomain = 0,
    subsample: Subsample = None,
    seed: DrawSeed = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Read your own images, with a CSV file of labels or in folders of domains.

    The CSV has the columns path and domain, and perhaps split (train, validation or test); every other column
    is an attribute. If it is interrupted, the same command continues.
    """
    from dcodr.data.sources.folder import read_folder, read_folders

    if csv is None and root is None:
        raise UserError("give the labels with --csv FILE, or a folder of domains with --root FOLDER")
    place = csv.resolve().parent if csv else Path(root or "").resolve()
    dataset = name or place.name
    options = _options(
        image_size, fit, continuous, categorical, cyclic, margin, min_per_domain, subsample, seed
    )
    prepare_store(
        dataset,
        out,
        force,
        seed,
        lambda progress: (
            read_folder(csv, dataset, root, options, progress, warn=warn, note=note)
            if csv
            else read_folders(place, dataset, options, progress, warn=warn, note=note)
        ),
    )


def huggingface(
    path: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of Dataset.save_to_disk.")],
    domain: Annotated[str, typer.Option(help="Column that the codes must not contain.")],
    attribute: Annotated[
        list[str] | None, typer.Option(help="Column that the codes must contain; repeatable.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="Column of the images.", show_default="the only one")
    ] = None,
    name: Name = None,
    image_size: ImageSize = 64,
    fit: Fit = "crop",
    continuous: Continuous = None,
    categorical: Categorical = None,
    cyclic: Cyclic = None,
    margin: Margin = None,
    min_per_domain: MinPerDomain = 0,
    subsample: Subsample = None,
    seed: DrawSeed = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Read a dataset that the package datasets has written with save_to_disk.

    Its splits are kept. A split that it lacks is drawn from the training images. No code of a dataset is
    executed, and nothing is downloaded. Needs the package datasets.
    """
    from dcodr.data.sources.huggingface import read_huggingface

    dataset = name or path.resolve().name
    options = _options(
        image_size, fit, continuous, categorical, cyclic, margin, min_per_domain, subsample, seed
    )
    prepare_store(
        dataset,
        out,
        force,
        seed,
        lambda progress: read_huggingface(
            path, dataset, domain, attribute or [], image, options, progress, warn=warn
        ),
    )


def torchvision(
    datasets: Annotated[
        list[str], typer.Argument(metavar="NAME", help="Datasets of torchvision, e.g. MNIST USPS.")
    ],
    root: Annotated[Path, typer.Option(help="Folder where torchvision has downloaded them.")],
    domain: Annotated[
        Literal["label", "dataset"],
        typer.Option(
            help="What the codes must not contain: the label (then the dataset is an attribute, if there are "
            "several), or the dataset (then the label is the attribute)."
        ),
    ] = "label",
    name: Annotated[
        str | None, typer.Option(help="Name of the dataset.", show_default="the names in lower case")
    ] = None,
    image_size: ImageSize = 64,
    fit: Fit = "crop",
    cyclic: Cyclic = None,
    margin: Margin = None,
    min_per_domain: MinPerDomain = 0,
    subsample: Subsample = None,
    seed: DrawSeed = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Read MNIST, FashionMNIST, KMNIST, QMNIST, USPS, SVHN or STL10 as torchvision has them on the disk.

    Their published test images stay test images; a tenth of the training images is for validation. CIFAR10,
    CIFAR100 and LSUN are refused, because their files are pickles, which can execute code. Most other
    datasets of torchvision are folders of images: use prepare folder --root.
    """
    from dcodr.data.sources.torchvision_items import read_torchvision

    dataset = name or "-".join(datasets).lower()
    options = _options(image_size, fit, None, None, cyclic, margin, min_per_domain, subsample, seed)
    prepare_store(
        dataset,
        out,
        force,
        seed,
        lambda progress: read_torchvision(datasets, root, dataset, domain, options, progress, warn=warn),
    )


def _options(
    image_size: int,
    fit: "FitMode",
    continuous: Sequence[str] | None,
    categorical: Sequence[str] | None,
    cyclic: Sequence[str] | None,
    margin: Sequence[str] | None,
    min_per_domain: int,
    subsample: int | None,
    seed: int,
) -> "Options":
    from dcodr.data.sources.labelled import Options

    return Options(
        image_size=image_size,
        fit=fit,
        continuous=continuous or (),
        categorical=categorical or (),
        cyclic=cyclic or (),
        margin=dict(map(_margin, margin or ())),
        min_per_domain=min_per_domain,
        subsample=subsample,
        seed=seed,
    )


def _margin(text: str) -> tuple[str, int]:
    name, _, steps = text.rpartition("=")
    if not name or not re.fullmatch("[0-9]{1,6}", steps):
        raise UserError(f"--margin {text}: give an attribute and a number of classes, e.g. angle=3")
    return name, int(steps)
