"""``python -m dcodr data prepare``: convert raw images to the single file that training reads."""

from pathlib import Path
from typing import Annotated

import typer

from dcodr.console import examples
from dcodr.data.datasets import PUBLISHED, Name, Published
from dcodr.data.own_cli import folder, huggingface, torchvision
from dcodr.data.prepare_command import DrawSeed, Force, Out, Seed, prepare_store

app = typer.Typer(
    no_args_is_help=True,
    help="Convert raw images to the single file that training reads.",
    epilog=examples(
        "python -m dcodr data prepare synthetic",
        "python -m dcodr data prepare folder --csv photos/labels.csv --name toys",
        "python -m dcodr data prepare folder --root photos",
    ),
)


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

    prepare_store("synthetic", out, force, seed, lambda progress: read_synthetic(images, seed, progress))


def _add(name: Name, dataset: Published) -> None:
    """Add the command of a published dataset."""
    help_of_raw = f"Folder of {dataset.raw}."
    command = f"python -m dcodr data prepare {name} --raw {Path('downloads', name, dataset.unpacked)}"

    def whole(
        raw: Annotated[Path, typer.Option(help=help_of_raw)],
        seed: Seed = 0,
        out: Out = None,
        force: Force = False,
    ) -> None:
        prepare_store(name, out, force, seed, lambda progress: dataset.read(raw, seed, 0, progress))

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
        prepare_store(name, out, force, seed, lambda progress: dataset.read(raw, seed, images, progress))

    if dataset.n_images:
        app.command(name, help=dataset.about, epilog=examples(command, f"{command} --images 480000"))(drawn)
    else:
        app.command(name, help=dataset.about, epilog=examples(command))(whole)


for _name, _dataset in PUBLISHED.items():
    _add(_name, _dataset)


app.command(
    epilog=examples(
        "python -m dcodr data prepare folder --csv photos/labels.csv",
        "python -m dcodr data prepare folder --root photos --fit pad --min-per-domain 20",
        "python -m dcodr data prepare folder --csv labels.csv --name shoes --continuous age",
        "python -m dcodr data prepare folder --csv labels.csv --cyclic angle --margin angle=3",
    )
)(folder)
app.command(
    epilog=examples(
        "python -m dcodr data prepare huggingface saved/birds --domain camera --attribute species",
        "python -m dcodr data prepare huggingface saved/birds --domain camera --subsample 20000",
    )
)(huggingface)
app.command(
    epilog=examples(
        "python -m dcodr data prepare torchvision MNIST --root downloads",
        "python -m dcodr data prepare torchvision MNIST USPS --root downloads --domain dataset --name digits",
    )
)(torchvision)
