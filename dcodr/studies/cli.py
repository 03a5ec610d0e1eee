"""``python -m dcodr study``: the studies of the paper's supplement."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from dcodr.augmentations.names import PAPER_13
from dcodr.console import examples, say
from dcodr.errors import UserError
from dcodr.files import default_store, write_text
from dcodr.seeds import MAX_SEED
from dcodr.studies.published import AUTOENCODER, COLUMNS, Measures
from dcodr.tables import csv_text
from dcodr.words import counted

if TYPE_CHECKING:
    import torch

    from dcodr.data.dataset import FactorDataset
    from dcodr.models.perceptual import PerceptualDistance

app = typer.Typer(
    no_args_is_help=True,
    help="Repeat the studies of the paper's supplement.",
    epilog=examples("python -m dcodr study autoencoder --dataset cars3d"),
)

LAYERS = (3, 8, 11)
"""relu1_2, relu2_2 and relu3_1 of VGG-19. The supplement only says that its distance is VGG-based."""
N_IMAGES = 192
"""Number of augmented validation images; the distances of more would take longer than the training."""


@app.callback()
def _studies() -> None:
    """Repeat the studies of the paper's supplement."""
    # With a callback, typer keeps `autoencoder` a subcommand although it is the only one.


@app.command(
    epilog=examples(
        "python -m dcodr study autoencoder --dataset cars3d",
        "python -m dcodr study autoencoder --dataset shoes --weights vgg19.pth --epochs 20",
    )
)
def autoencoder(
    dataset: Annotated[str, typer.Option(help="Name of the dataset, e.g. cars3d.")],
    data: Annotated[
        Path | None, typer.Option(help="Store of the dataset.", show_default="data/NAME.h5")
    ] = None,
    weights: Annotated[
        str, typer.Option(help="File of VGG-19 weights, or 'imagenet' for torchvision's.")
    ] = "imagenet",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 8,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Seed of weights, order and augmentations.")
    ] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write.", show_default="runs/autoencoder-NAME")
    ] = None,
) -> None:
    """Measure how invariant an autoencoder is to each augmentation (section 1.1, Tables 1 and 2).

    A space's search.warm_start.ranking reads the result, invariance.csv; invariance.png shows it. Because a
    search may start from that file, only validation images are measured; test images stay unused.
    """
    from dcodr.data.store import open_store
    from dcodr.studies.picture import draw_invariance
    from dcodr.training.trainer import resolve_device

    store = open_store(data or default_store(dataset))
    if store.spec.name != dataset:
        raise UserError(
            f"--dataset: received {dataset!r}, but {data or default_store(dataset)} holds "
            f"{store.spec.name}: give --dataset {store.spec.name} or another --data"
        )
    console = Console()
    measured = _measure(console, store, weights, epochs, seed, resolve_device("auto"))
    published = AUTOENCODER.get(dataset, {})
    folder = out or Path("runs") / f"autoencoder-{dataset}"
    write_text(folder / "invariance.csv", as_csv(measured))
    draw_invariance(
        folder / "invariance.png",
        f"Autoencoder of {dataset}, {counted(epochs, 'epoch')}, seed {seed}",
        measured,
        published,
    )
    console.print(_table(dataset, measured, published))
    if published:
        for measure, correlation in rank_correlations(measured, published).items():
            console.print(f"Spearman rank correlation of {measure} with published values: {correlation:.3f}")
    else:
        known = ", ".join(AUTOENCODER)
        console.print(f"The supplement has no values for {dataset}, only for {known}.", soft_wrap=True)
    console.print(f"Written: {folder / 'invariance.csv'}, {folder / 'invariance.png'}", soft_wrap=True)


def as_csv(measured: Mapping[str, Measures]) -> str:
    """Return the text of the results file: a header, and one line per augmentation."""
    return csv_text(COLUMNS, ((name, *measures) for name, measures in measured.items()))


def rank_correlations(
    measured: Mapping[str, Measures], published: Mapping[str, Measures]
) -> dict[str, float]:
    """Compute Spearman's rank correlation of each measure over the augmentations, the same in both."""
    from scipy.stats import spearmanr

    ours, theirs = ([values[name] for name in sorted(values)] for values in (measured, published))
    return {
        measure: float(spearmanr([row[column] for row in ours], [row[column] for row in theirs]).statistic)
        for column, measure in enumerate(Measures._fields)
    }


def _measure(
    console: Console, data: "FactorDataset", weights: str, epochs: int, seed: int, device: "torch.device"
) -> dict[str, Measures]:
    """Train the autoencoder and measure it on validation images."""
    import numpy as np

    from dcodr.evaluation.embed import float_images
    from dcodr.studies.autoencoder import squared_errors, train_autoencoder
    from dcodr.studies.invariance import view_distances

    distance = _distance(weights).to(device)
    with console.status("training the autoencoder"):
        trained = train_autoencoder(
            data.images,
            data.indices("train"),
            epochs,
            seed,
            device,
            on_epoch=lambda epoch, loss: say(console, f"epoch {epoch}/{epochs}  squared error {loss:.5f}"),
        )
    chosen = np.random.default_rng(seed).permutation(data.indices("validation"))[:N_IMAGES]
    images = float_images(data.images, chosen, device).contiguous()
    console.print(
        _quality(*squared_errors(trained, images, data.images, data.indices("train"))), soft_wrap=True
    )
    with console.status(f"measuring {len(PAPER_13)} augmentations on {len(chosen)} validation images"):
        found = view_distances(trained, distance, images, PAPER_13, seed)
    return {name: distances.measures() for name, distances in found.items()}


def _quality(error: float, error_of_mean: float) -> str:
    """Describe the quality of the autoencoder; warn if the measures below are meaningless."""
    found = f"squared error on validation images {error:.5f}, of the mean training image {error_of_mean:.5f}"
    if error < error_of_mean:
        return found
    return (
        f"Warning: {found}: the autoencoder is no better than that single image, so the values below do not "
        "show its invariance: give more --epochs, or a dataset with more training images"
    )


def _distance(weights: str) -> "PerceptualDistance":
    from dcodr.methods.weights import load_features
    from dcodr.models.perceptual import PerceptualDistance, backbone_features

    features = backbone_features("vgg19", max(LAYERS))
    load_features(features, "vgg19", weights, setting="--weights")
    return PerceptualDistance(features, LAYERS)


def _table(dataset: str, measured: Mapping[str, Measures], published: Mapping[str, Measures]) -> Table:
    """Make a table of measured and published values, in the order of the supplement."""
    title = f"Invariance of an autoencoder of {dataset}: smaller is more invariant"
    table = Table("augmentation", title=title, title_justify="left")
    for measure in Measures._fields:
        table.add_column(measure, justify="right")
        if published:
            table.add_column("published", justify="right")
    for name, ours in measured.items():
        cells = [f"{ours.f_norm:.3f}", f"{ours.f_unnorm:.4f}"]
        if published:
            theirs = published[name]
            cells = [cells[0], f"{theirs.f_norm:.3f}", cells[1], f"{theirs.f_unnorm:.4f}"]
        table.add_row(name, *cells)
    return table
