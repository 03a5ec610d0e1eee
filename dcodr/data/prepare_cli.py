"""``python -m dcodr data prepare``: convert raw images to the single file that training reads."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from dcodr.config.seeds import MAX_SEED
from dcodr.console import examples, printable
from dcodr.data.facts import print_facts, store_facts
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
Force = Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")]


@app.command(
    epilog=examples(
        "python -m dcodr data prepare synthetic",
        "python -m dcodr data prepare synthetic --images 20000 --out data/large.h5",
    )
)
def synthetic(
    images: Annotated[int, typer.Option(min=1, help="Number of images to render.")] = 6000,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Seed of the scenes and of the splits.")] = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Render the embedded dataset, solids in a room like those of Shapes3D. Needs no download."""
    from dcodr.data.prepare import prepare_synthetic

    with _preparing("synthetic", out, force) as (path, on_progress):
        prepare_synthetic(path, images, seed, on_progress)


@app.command(epilog=examples("python -m dcodr data prepare cars3d --raw downloads/cars3d"))
def cars3d(
    raw: Annotated[Path, typer.Option(help="Folder of the original car_*_mesh.mat files.")],
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Read Cars3D: 183 cars from 96 directions each."""
    from dcodr.data.prepare import prepare_cars3d

    with _preparing("cars3d", out, force) as (path, on_progress):
        prepare_cars3d(path, raw, seed, on_progress)


@app.command(epilog=examples("python -m dcodr data prepare smallnorb --raw downloads/smallnorb"))
def smallnorb(
    raw: Annotated[Path, typer.Option(help="Folder of the original smallnorb-5x*.mat or .mat.gz files.")],
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Read SmallNORB: 50 toys from 162 directions under 6 lightings."""
    from dcodr.data.prepare import prepare_smallnorb

    with _preparing("smallnorb", out, force) as (path, on_progress):
        prepare_smallnorb(path, raw, seed, on_progress)


@app.command(
    epilog=examples(
        "python -m dcodr data prepare shapes3d --raw downloads/shapes3d",
        "python -m dcodr data prepare shapes3d --raw downloads/shapes3d --images 480000",
    )
)
def shapes3d(
    raw: Annotated[Path, typer.Option(help="Folder of the original 3dshapes.h5.")],
    images: Annotated[
        int,
        typer.Option(
            min=1,
            help="Number of images to draw, up to 480000, with which retrieval has the gallery of the "
            "paper. At most 50000 are for training, as in the paper.",
        ),
    ] = 62_500,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Seed of the draw and of the splits.")] = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Read Shapes3D: images drawn from its 480,000 scenes."""
    from dcodr.data.prepare import prepare_shapes3d

    with _preparing("shapes3d", out, force) as (path, on_progress):
        prepare_shapes3d(path, raw, images, seed, on_progress)


@app.command(epilog=examples("python -m dcodr data prepare celeba --raw downloads/celeba"))
def celeba(
    raw: Annotated[
        Path,
        typer.Option(
            help="Folder of img_align_celeba, identity_CelebA.txt and list_landmarks_align_celeba.txt."
        ),
    ],
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Read CelebA: faces of people with at least 20 training images."""
    from dcodr.data.prepare import prepare_celeba

    with _preparing("celeba", out, force) as (path, on_progress):
        prepare_celeba(path, raw, seed, on_progress)


@app.command(epilog=examples("python -m dcodr data prepare edges2shoes --raw downloads/edges2shoes"))
def edges2shoes(
    raw: Annotated[
        Path, typer.Option(help="Folder of edges2shoes, ut-zap50k-data and ut-zap50k-images-square.")
    ],
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Read Edges2Shoes: photos of shoes and their edges, labelled by UT-Zappos50K.

    First the photos of both datasets are matched, which takes some minutes.
    """
    from dcodr.data.prepare import prepare_edges2shoes

    with _preparing("edges2shoes", out, force) as (path, on_progress):
        prepare_edges2shoes(path, raw, seed, on_progress)


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
    from dcodr.data.prepare import prepare_folder

    name = name or csv.resolve().parent.name  # resolved, because a relative path may have no folder
    with _preparing(name, out, force) as (path, on_progress):
        prepare_folder(
            path,
            csv,
            name,
            root,
            image_size,
            continuous or (),
            seed,
            on_progress,
            categorical=categorical or (),
            warn=_warn,
        )


def _warn(message: str) -> None:
    print(f"warning: {printable(message)}", file=sys.stderr)


@contextmanager
def _preparing(name: str, out: Path | None, force: bool) -> Iterator[tuple[Path, Callable[[int, int], None]]]:
    """Provide the store's path and a progress callback; print facts about the store at the end."""
    from rich.console import Console
    from rich.progress import Progress

    from dcodr.data.store import open_store

    path = out or default_store(name)
    if path.is_dir():
        raise UserError(f"{path} is a folder: give a file with --out")
    if path.exists() and not force:
        raise UserError(f"{path} exists: give another file with --out, or replace it with --force")
    start = time.perf_counter()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=None)
        yield path, lambda done, total: progress.update(task, completed=done, total=total)
    seconds = time.perf_counter() - start
    print_facts(store_facts(open_store(path), path), {"prepared in": f"{seconds:.1f} s"})
