"""``python -m dcodr data``: download, prepare, describe and preview datasets."""

import json
from pathlib import Path
from typing import Annotated

import typer

from dcodr.console import examples
from dcodr.data.datasets import PUBLISHED, Name
from dcodr.data.facts import print_facts, store_facts
from dcodr.data.prepare_cli import app as prepare_app
from dcodr.errors import UserError
from dcodr.files import appearing
from dcodr.seeds import MAX_SEED

app = typer.Typer(
    no_args_is_help=True,
    help="Download, prepare, inspect and preview datasets.",
    epilog=examples(
        "python -m dcodr data prepare folder --csv photos/labels.csv --name toys",
        "python -m dcodr data info data/toys.h5",
        "python -m dcodr data preview data/toys.h5",
    ),
)
app.add_typer(prepare_app, name="prepare")

Store = Annotated[Path, typer.Argument(metavar="FILE", help="A prepared dataset, e.g. data/cars3d.h5.")]


@app.command(epilog=examples("python -m dcodr data download shapes3d --out downloads/shapes3d"))
def download(
    name: Annotated[Name, typer.Argument(help="Dataset.", metavar="NAME")],
    out: Annotated[Path, typer.Option(help="Folder for the published files.")],
) -> None:
    """Download and verify the published files of cars3d, smallnorb, shapes3d or edges2shoes.

    Run it again to continue after an interruption. CelebA has to be downloaded by hand.
    """
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TaskID, TransferSpeedColumn

    from dcodr.data.sources.download import download as fetch

    dataset = PUBLISHED[name]
    if not dataset.remotes:
        raise UserError(
            f"{name} has no address for automatic download: get {dataset.by_hand}, unpack them in {out} and "
            f"run `python -m dcodr data prepare {name} --raw {out}`"
        )
    tasks: dict[str, TaskID] = {}
    columns = *Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def on_progress(file: str, done: int, total: int | None) -> None:
            if file not in tasks:
                tasks[file] = progress.add_task(file)
            progress.update(tasks[file], completed=done, total=total)

        verdicts = fetch(dataset.remotes, out, on_progress)
    typer.echo("\n".join(verdicts))
    typer.echo(f"Prepare it: python -m dcodr data prepare {name} --raw {out / dataset.unpacked}")


@app.command(
    epilog=examples(
        "python -m dcodr data info data/cars3d.h5",
        "python -m dcodr data info data/cars3d.h5 --verify --json",
    )
)
def info(
    file: Store,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read everything and check the fingerprint.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the contents of a prepared dataset."""
    from dcodr.data.store import open_store, verify_store

    if verify:
        verify_store(file)
    facts = store_facts(open_store(file), file)
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    else:
        print_facts(facts, {"verified": "content matches the fingerprint"} if verify else {})


@app.command(
    epilog=examples(
        "python -m dcodr data preview data/cars3d.h5",
        "python -m dcodr data preview data/cars3d.h5 --seed 1 --out cars.png",
    )
)
def preview(
    file: Store,
    out: Annotated[Path | None, typer.Option(help="PNG to write.", show_default="FILE with .png")] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Seed of the choice of images.")] = 0,
) -> None:
    """Draw a contact sheet: some images of some domains, with their labels."""
    from dcodr.data.preview import contact_sheet
    from dcodr.data.store import open_store

    sheet = contact_sheet(open_store(file), seed=seed)
    # The default name could be the store's own, and Pillow would overwrite it.
    out = out or file.with_suffix(".png")
    if out.resolve() == file.resolve():
        raise UserError(f"{out} is the dataset itself: give another file with --out")
    with appearing(out) as temporary:
        sheet.save(temporary, format="PNG")
    typer.echo(out)
