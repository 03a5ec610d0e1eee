"""``python -m dcodr data prepare``: convert raw images to the single file that training reads."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from dcodr.config.seeds import MAX_SEED
from dcodr.console import examples, progress_bar, warn
from dcodr.data.dataset import RawDataset
from dcodr.data.datasets import PUBLISHED, Name, Published
from dcodr.data.facts import print_facts, store_facts
from dcodr.data.sources.images import Progress
from dcodr.errors import UserError
from dcodr.files import default_store

app = typer.Typer(
    no_args_is_help=True,
    help="Convert raw images to the single file that training reads.",
    epilog=examples(
        "python -m dcodr data prepare synthetic",
        "python -m dcodr data prepare folder --csv photos/labels.csv --name toys",
    ),
)

Out = Annotated[Path | None, typer.Option(help="File to write.", show_default="data/NAME.h5")]
Seed = Annotated[
    int, typer.Option(min=0, max=MAX_SEED, help="Seed of the train, validation and test splits.")
]
DrawSeed = Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Seed of the draw and of the splits.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")]


@app.command(
    epilog=examples(
        "python -m dcodr data prepare synthetic",
        "python -m dcodr data prepare synthetic --images 20000 --out data/large.h5",
    )
)
def synthetic(
    images: Annotated[int, typer.Option(min=1, help="Number of images to render.")] = 10_800,
    seed: DrawSeed = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Render the embedded dataset, solids in a room like those of Shapes3D. Needs no download."""
    from dcodr.data.sources.synthetic import read_synthetic

    _prepare("synthetic", out, force, seed, lambda progress: read_synthetic(images, seed, progress))


def _add(name: Name, dataset: Published) -> None:
    """Add the command of a published dataset."""
    help_of_raw = f"Folder of {dataset.raw}."
    command = f"python -m dcodr data prepare {name} --raw downloads/{name}"

    def whole(
        raw: Annotated[Path, typer.Option(help=help_of_raw)],
        seed: Seed = 0,
        out: Out = None,
        force: Force = False,
    ) -> None:
        _prepare(name, out, force, seed, lambda progress: dataset.read(raw, seed, 0, progress))

    def drawn(
        raw: Annotated[Path, typer.Option(help=help_of_raw)],
        images: Annotated[
            int,
            typer.Option(
                min=1,
                help="Number of images to draw, up to 480000, with which retrieval has the gallery of the "
                "paper. At most 50000 are for training, as in the paper.",
            ),
        ] = dataset.n_images,
        seed: DrawSeed = 0,
        out: Out = None,
        force: Force = False,
    ) -> None:
        _prepare(name, out, force, seed, lambda progress: dataset.read(raw, seed, images, progress))

    if dataset.n_images:
        app.command(name, help=dataset.about, epilog=examples(command, f"{command} --images 480000"))(drawn)
    else:
        app.command(name, help=dataset.about, epilog=examples(command))(whole)


for _name, _dataset in PUBLISHED.items():
    _add(_name, _dataset)


@app.command(
    epilog=examples(
        "python -m dcodr data prepare folder --csv photos/labels.csv",
        "python -m dcodr data prepare folder --csv labels.csv --name shoes --continuous age",
    )
)
def folder(
    csv: Annotated[Path, typer.Option(help="Labels: columns path, domain, and one per attribute, if any.")],
    root: Annotated[
        Path | None,
        typer.Option(help="Folder that the paths in the CSV are relative to.", show_default="the CSV's own"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the dataset.", show_default="the CSV's folder")
    ] = None,
    image_size: Annotated[int, typer.Option(min=16, max=1024, help="Height and width in pixels.")] = 64,
    continuous: Annotated[
        list[str] | None,
        typer.Option(help="Attribute to take as continuous though its values are integers; repeatable."),
    ] = None,
    categorical: Annotated[
        list[str] | None,
        typer.Option(help="Attribute to take as categorical though its values are numbers; repeatable."),
    ] = None,
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Read your own images, with a CSV file of labels.

    The CSV has the columns path and domain; every other column is an attribute.
    """
    from dcodr.data.sources.folder import read_folder

    dataset = name or csv.resolve().parent.name  # resolved, because a relative path may have no folder
    given = continuous or (), categorical or ()
    _prepare(
        dataset,
        out,
        force,
        seed,
        lambda progress: read_folder(csv, dataset, root, image_size, *given, progress, warn=warn),
    )


def _prepare(
    name: str, out: Path | None, force: bool, seed: int, read: Callable[[Progress], RawDataset]
) -> None:
    """Read a dataset, write its store with a progress bar, and print facts about the store."""
    from dcodr.data.prepare import prepare
    from dcodr.data.store import open_store

    path = out or default_store(name)
    if path.is_dir():
        raise UserError(f"{path} is a folder: give a file with --out")
    if path.exists() and not force:
        raise UserError(f"{path} exists: give another file with --out, or replace it with --force")
    start = time.perf_counter()
    with progress_bar(name) as on_progress:
        prepare(path, read(on_progress), seed)
    seconds = time.perf_counter() - start
    print_facts(store_facts(open_store(path), path), {"prepared in": f"{seconds:.1f} s"})
