"""``python -m dcodr export``: a trained encoder for other programs."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dcodr.console import warn
from dcodr.embeddings.cli import EncoderName
from dcodr.errors import UserError
from dcodr.files import write_text


def export(
    encoder: EncoderName,
    onnx: Annotated[Path | None, typer.Option(help="ONNX file to write, for any program.")] = None,
    torchscript: Annotated[
        Path | None, typer.Option(help="TorchScript file to write, for PyTorch without this project.")
    ] = None,
    safetensors: Annotated[
        Path | None, typer.Option(help="File of plain weights to write, for this project.")
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            min=16, max=1024, help="Height and width of the training's images, if the encoder lacks it."
        ),
    ] = None,
) -> None:
    """Write an encoder in other formats, check each by its own runtime, and add a model card.

    ONNX and TorchScript files take uint8 RGB images of any size and prepare them as 'embed' does.

    The card of OUT.onnx is OUT.onnx.md.
    """
    given = {"onnx": onnx, "torchscript": torchscript, "safetensors": safetensors}
    wanted = {name: path for name, path in given.items() if path is not None}
    if not wanted:
        raise UserError(
            "nothing to write: give --onnx OUT.onnx, --torchscript OUT.pt or --safetensors OUT.safetensors"
        )
    if len({path.resolve() for path in wanted.values()}) < len(wanted):
        raise UserError("two formats have the same file: give each its own")
    from dcodr.export.card import render_card
    from dcodr.export.formats import FORMATS, export_encoder
    from dcodr.training.origin import Origin
    from dcodr.training.report_file import with_reports
    from dcodr.training.trained import load

    for name in wanted:
        FORMATS[name].require()
    loaded = load(encoder)
    origin = loaded.origin if isinstance(loaded.origin, Origin) else None
    place = Path(encoder)
    if origin is not None and place.exists() and place.suffix != ".safetensors":
        origin = with_reports(origin, place if place.is_dir() else place.parent, warn)
        loaded.origin = origin
    console = Console(stderr=True)
    for name, path in wanted.items():
        with console.status(f"writing and checking {path}"):
            made = export_encoder(loaded, path, FORMATS[name], image_size)
        card = path.with_name(f"{path.name}.md")
        write_text(card, render_card(made, encoder, origin))
        print(f"{path}: {made.agreement}, on {made.images} images ({made.runtime})")
        print(card)
