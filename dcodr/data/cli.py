"""``python -m dcodr data``: download a dataset, prepare it, say what is in it, show it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from dcodr.data.dataset import SPLITS, FactorDataset
from dcodr.errors import UserError
from dcodr.files import default_store

app = typer.Typer(no_args_is_help=True, help="Download, prepare, inspect and preview datasets.")
prepare = typer.Typer(no_args_is_help=True, help="Turn raw images into the one file that training reads.")
app.add_typer(prepare, name="prepare")

Store = Annotated[Path, typer.Argument(metavar="FILE", help="A prepared dataset, e.g. data/cars3d.h5.")]
Out = Annotated[Path | None, typer.Option(help="File to write.", show_default="data/NAME.h5")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the train, validation and test splits.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")]


@prepare.command()
def synthetic(
    images: Annotated[int, typer.Option(min=1, help="Number of images to render.")] = 6000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the scenes and of the splits.")] = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Render the embedded dataset: solids in a room, in the manner of Shapes3D. Needs no download.

    Example: python -m dcodr data prepare synthetic

    Example: python -m dcodr data prepare synthetic --images 20000 --out data/large.h5
    """
    from dcodr.data.prepare import prepare_synthetic

    with _preparing("synthetic", out, force) as (path, on_progress):
        prepare_synthetic(path, images, seed, on_progress)


@prepare.command()
def cars3d(
    raw: Annotated[Path, typer.Option(help="Folder of the original car_*_mesh.mat files.")],
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Read Cars3D: 183 cars from 96 directions each.

    Example: python -m dcodr data prepare cars3d --raw downloads/cars3d
    """
    from dcodr.data.prepare import prepare_cars3d

    with _preparing("cars3d", out, force) as (path, on_progress):
        prepare_cars3d(path, raw, seed, on_progress)


@prepare.command()
def smallnorb(
    raw: Annotated[Path, typer.Option(help="Folder of the original smallnorb-5x*.mat or .mat.gz files.")],
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Read SmallNORB: 50 toys from 162 directions under 6 lightings.

    Example: python -m dcodr data prepare smallnorb --raw downloads/smallnorb
    """
    from dcodr.data.prepare import prepare_smallnorb

    with _preparing("smallnorb", out, force) as (path, on_progress):
        prepare_smallnorb(path, raw, seed, on_progress)


@prepare.command()
def shapes3d(
    raw: Annotated[Path, typer.Option(help="Folder of the original 3dshapes.h5.")],
    images: Annotated[
        int, typer.Option(min=1, help="Number of images to draw; 62500 leave the paper's 50000 for training.")
    ] = 62_500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw and of the splits.")] = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Read Shapes3D: images drawn from its 480,000 scenes.

    Example: python -m dcodr data prepare shapes3d --raw downloads/shapes3d
    """
    from dcodr.data.prepare import prepare_shapes3d

    with _preparing("shapes3d", out, force) as (path, on_progress):
        prepare_shapes3d(path, raw, images, seed, on_progress)


@prepare.command()
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
    """Read CelebA: faces of people with at least 20 training images.

    Example: python -m dcodr data prepare celeba --raw downloads/celeba
    """
    from dcodr.data.prepare import prepare_celeba

    with _preparing("celeba", out, force) as (path, on_progress):
        prepare_celeba(path, raw, seed, on_progress)


@prepare.command()
def edges2shoes(
    raw: Annotated[
        Path, typer.Option(help="Folder of edges2shoes, ut-zap50k-data and ut-zap50k-images-square.")
    ],
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Read Edges2Shoes: photos of shoes and their edges, labelled by UT-Zappos50K.

    Photos of both are matched first, which takes some minutes.

    Example: python -m dcodr data prepare edges2shoes --raw downloads/edges2shoes
    """
    from dcodr.data.prepare import prepare_edges2shoes

    with _preparing("edges2shoes", out, force) as (path, on_progress):
        prepare_edges2shoes(path, raw, seed, on_progress)


@prepare.command()
def folder(
    csv: Annotated[Path, typer.Option(help="Labels: columns path, domain, and one for each attribute.")],
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
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
) -> None:
    """Read your own images, with a CSV file of labels.

    The CSV has the columns path and domain; every other column is an attribute.

    Example: python -m dcodr data prepare folder --csv photos/labels.csv

    Example: python -m dcodr data prepare folder --csv labels.csv --name shoes --continuous age
    """
    from dcodr.data.prepare import prepare_folder

    name = name or csv.resolve().parent.name
    with _preparing(name, out, force) as (path, on_progress):
        prepare_folder(path, csv, name, root, image_size, continuous or (), seed, on_progress)


@app.command()
def download(
    name: Annotated[
        Literal["cars3d", "smallnorb", "shapes3d", "celeba", "edges2shoes"],
        typer.Argument(help="Dataset.", metavar="NAME"),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the published files.")],
) -> None:
    """Download the published files of cars3d, smallnorb, shapes3d or edges2shoes, and verify them.

    Run it again to go on after an interruption. CelebA has to be fetched by hand.

    Example: python -m dcodr data download shapes3d --out downloads/shapes3d
    """
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TaskID, TransferSpeedColumn

    from dcodr.data.download import RAW, SOURCES
    from dcodr.data.download import download as fetch

    if name not in SOURCES:
        raise UserError(
            f"{name} has no address that a program may fetch it from: get img_align_celeba.zip, "
            "identity_CelebA.txt and list_landmarks_align_celeba.txt from "
            f"https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, unpack them "
            f"in {out} and run `python -m dcodr data prepare {name} --raw {out}`"
        )
    tasks: dict[str, TaskID] = {}
    columns = *Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def on_progress(file: str, done: int, total: int | None) -> None:
            if file not in tasks:
                tasks[file] = progress.add_task(file)
            progress.update(tasks[file], completed=done, total=total)

        verdicts = fetch(SOURCES[name], out, on_progress)
    typer.echo("\n".join(verdicts))
    typer.echo(f"Prepare it: python -m dcodr data prepare {name} --raw {out / RAW.get(name, '')}")


@app.command()
def info(
    file: Store,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read everything and check the fingerprint.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a prepared dataset holds.

    Example: python -m dcodr data info data/cars3d.h5

    Example: python -m dcodr data info data/cars3d.h5 --verify --json
    """
    from dcodr.data.store import open_store, verify_store

    if verify:
        verify_store(file)
    facts = _facts(open_store(file), file)
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    else:
        _print(facts, {"verified": "content matches the fingerprint"} if verify else {})


@app.command()
def preview(
    file: Store,
    out: Annotated[Path | None, typer.Option(help="PNG to write.", show_default="FILE with .png")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice of images.")] = 0,
) -> None:
    """Draw a contact sheet: some images of some domains, with their labels.

    Example: python -m dcodr data preview data/cars3d.h5

    Example: python -m dcodr data preview data/cars3d.h5 --seed 1 --out cars.png
    """
    from dcodr.data.preview import contact_sheet
    from dcodr.data.store import open_store

    sheet = contact_sheet(open_store(file), seed=seed)
    out = out or file.with_suffix(".png")
    if out.resolve() == file.resolve():
        raise UserError(f"{out} is the dataset itself: name another file with --out")
    try:
        sheet.save(out, format="PNG")
    except OSError as error:
        raise UserError(f"cannot write {out}: {error}") from error
    typer.echo(out)


@contextmanager
def _preparing(name: str, out: Path | None, force: bool) -> Iterator[tuple[Path, Callable[[int, int], None]]]:
    """The store to write and a progress bar to report to; at the end, what was written."""
    from rich.console import Console
    from rich.progress import Progress

    from dcodr.data.store import open_store

    path = out or default_store(name)
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file with --out")
    if path.exists() and not force:
        raise UserError(f"{path} exists: give another file with --out, or replace it with --force")
    start = time.perf_counter()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=None)
        yield path, lambda done, total: progress.update(task, completed=done, total=total)
    seconds = time.perf_counter() - start
    _print(_facts(open_store(path), path), {"prepared in": f"{seconds:.1f} s"})


def _facts(data: FactorDataset, path: Path) -> dict[str, Any]:
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "n_images": len(data.images),
        "image_size": data.image_size,
        "n_domains": data.n_domains,
        "splits": {split: len(data.indices(split)) for split in SPLITS},
        "spec": asdict(data.spec),
        "fingerprint": data.fingerprint,
        "provenance": dict(data.provenance),
    }


def _print(facts: dict[str, Any], more: dict[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    spec, size = facts["spec"], facts["image_size"]
    rows = {
        "file": f"{facts['file']} ({facts['bytes'] / 1e6:.1f} MB)",
        "images": f"{facts['n_images']:,} of {size} x {size}",
        "domains": f"{facts['n_domains']:,} ({spec['domain']})",
        "attributes": "\n".join(map(_attribute, spec["attributes"])),
        "splits": ", ".join(f"{n:,} {split}" for split, n in facts["splits"].items()),
        **{key: str(value) for key, value in facts["provenance"].items()},
        "fingerprint": facts["fingerprint"],
        **more,
    }
    table = Table(title=Text(spec["name"]), title_justify="left", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for key, value in rows.items():
        table.add_row(key, Text(value))
    Console().print(table)


def _attribute(attribute: dict[str, Any]) -> str:
    if attribute["cardinality"] is None:
        return f"{attribute['name']}: continuous"
    cyclic = ", cyclic" if attribute["cyclic"] else ""
    return f"{attribute['name']}: {attribute['cardinality']} classes{cyclic}"
