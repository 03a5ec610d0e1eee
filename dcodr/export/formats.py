"""Encoders in files for other programs, each read back by its own runtime and compared before it appears."""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dcodr.data.dataset import Images
from dcodr.embeddings.embedding import known_size
from dcodr.errors import UserError
from dcodr.files import appearing
from dcodr.models.encoder import Encoder, Fit
from dcodr.models.image_encoder import ImageEncoder, traced
from dcodr.training.encoder_file import read_encoder, write_encoder
from dcodr.training.origin import Origin
from dcodr.words import option

TOLERANCE = 1e-5
"""Largest difference between a number of a code that a file computes and that of the encoder."""
FITS: Mapping[Fit, str] = {
    "crop": "the central square",
    "pad": "the whole image between white bars",
    "stretch": "the whole image, its sides scaled differently",
}
"""Conversions of images to squares, in words."""
INPUT, OUTPUT = "images", "codes"
"""Names of the input and the output of an ONNX file."""
Codes = npt.NDArray[np.float32]
Write = Callable[[Path, Encoder, ImageEncoder, Mapping[str, str]], object]


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: Its name.
        runtime: The package that reads it.
        write: Writes a file: path, encoder, the same with the preparation of images, metadata.
        open: Opens a file as a function from images ``(B, H, W, 3)`` uint8 RGB to codes ``(B, code_dim)``.
        needs: Other packages that it needs, which an extra of the same name installs.
    """

    name: str
    runtime: str
    write: Write
    open: Callable[[Path], Callable[[Images], Codes]]
    needs: tuple[str, ...] = ()

    def require(self) -> None:
        """Refuse to work without the format's packages."""
        if missing := [name for name in self.needs if find_spec(name) is None]:
            raise UserError(
                f"{self.name} needs {', '.join(missing)}, which is not installed: pip install "
                f"'dcodr-tuning[{self.name}]'"
            )


@dataclass(frozen=True)
class Exported:
    """A file that was written and checked.

    Attributes:
        path: The file.
        format: Its format.
        image_size: Height and width of the images that its encoder sees, in pixels.
        preparation: How images are prepared, in words.
        difference: Largest absolute difference between its codes and the encoder's.
        images: Number of images that were compared.
        runtime: The runtime that computed its codes, with the version.
    """

    path: Path
    format: Format
    image_size: int
    preparation: str
    difference: float
    images: int
    runtime: str

    @property
    def agreement(self) -> str:
        """The difference in words."""
        if self.difference == 0:
            return "codes equal the encoder's to the last bit"
        return f"codes equal the encoder's to {self.difference:.1e}"


def export_encoder(
    encoder: Encoder, path: str | Path, form: Format, image_size: int | None = None
) -> Exported:
    """Write an encoder to a file, which appears only if its codes equal the encoder's.

    ONNX and TorchScript files prepare images themselves, see ``ImageEncoder``. A ``.safetensors`` file holds
    the weights and the config.

    Args:
        encoder: A trained encoder, on the CPU.
        path: The file to write; an existing file is replaced.
        form: Its format, one of :data:`FORMATS`.
        image_size: Height and width of the training's images, if the encoder does not know it.

    Raises:
        UserError: If the size is not known or another one, a package is missing, the encoder cannot be
            written in this format, its codes differ by more than :data:`TOLERANCE`, or the file cannot be
            written.
    """
    path = Path(path)
    form.require()
    size = known_size(encoder, "the encoder", image_size)
    if encoder.image_size not in (None, size):
        raise UserError(
            f"{option('image-size', size)}: the encoder was trained on images of {encoder.image_size} pixels"
        )
    encoder.image_size = size
    whole = image_encoder(encoder, size)
    facts = metadata(encoder, size)
    with appearing(path) as temporary:
        # Exporters give advice to their own developers as warnings.
        with warnings.catch_warnings(action="ignore"):
            try:
                form.write(temporary, encoder, whole, facts)
            except (UserError, OSError):
                raise
            except Exception as error:  # exporters raise many kinds of exceptions
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise UserError(f"{path}: this encoder cannot be written as {form.name}: {reason}") from error
            difference, images = compare(form.open(temporary), whole, size)
        if not difference <= TOLERANCE:  # also NaN
            raise UserError(
                f"{path} was not written: {form.runtime} computes codes from it that differ from the "
                f"encoder's by up to {difference:.1e}; at most {TOLERANCE:.0e} is allowed"
            )
    runtime = f"{form.runtime} {version(form.runtime)}"
    return Exported(path, form, size, facts["preparation"], difference, images, runtime)


def image_encoder(encoder: Encoder, size: int) -> ImageEncoder:
    """Return an encoder that prepares images as they were for its training."""
    return ImageEncoder(encoder, size, encoder.fit).eval()


def compare(codes_of: Callable[[Images], Codes], encoder: ImageEncoder, size: int) -> tuple[float, int]:
    """Compare the codes of an exported file with an encoder's, on images of several shapes.

    Args:
        codes_of: Computes the codes of the file.
        encoder: The encoder.
        size: Height and width of the images of its training, in pixels.

    Returns:
        The largest absolute difference, and the number of images.
    """
    largest, count = 0.0, 0
    for images in _sample(size):
        with torch.inference_mode():
            expected = encoder(torch.from_numpy(images)).numpy()
        # `maximum` keeps a NaN, which no comparison would notice.
        largest = float(np.maximum(largest, np.abs(codes_of(images) - expected).max()))
        count += len(images)
    return largest, count


def metadata(encoder: Encoder, size: int) -> dict[str, str]:
    """Describe an exported encoder: layout, sizes and types of images and codes, and its training."""
    fit: Fit = encoder.fit
    facts = {
        "images": "uint8 (batch, height, width, 3) RGB, of any batch size, height and width",
        "preparation": f"done by the model: {FITS[fit]}, resized to {size} x {size}, scaled to [0, 1]",
        "image_size": str(size),
        "codes": "float32 (batch, code_dim), each of length 1",
    }
    if isinstance(origin := encoder.origin, Origin):
        facts |= {
            "code_dim": str(origin.config.encoder.code_dim),
            "config": origin.config.model_dump_json(),
            "dataset_fingerprint": origin.fingerprint or "unknown",
        }
    return facts


def _sample(size: int) -> Iterator[Images]:
    """Yield images of noise and of smooth colours: alone and several, square and not, small and large."""
    random = np.random.default_rng(0)
    for batch, height, width in ((1, size, size), (4, size, size), (3, 2 * size + 9, size + 5), (2, 20, 31)):
        noise = random.integers(0, 256, (batch, height, width, 3))
        slope = np.linspace(0, 255, height)[:, None, None] * random.random((batch, 1, width, 3))
        yield np.where(random.random((batch, 1, 1, 1)) < 0.5, noise, slope).astype(np.uint8)


def _example(size: int) -> torch.Tensor:
    """Return images whose sizes all differ, so that an exporter takes none for a constant."""
    return torch.zeros((2, size + 8, size + 24, 3), dtype=torch.uint8)


def _write_onnx(path: Path, encoder: Encoder, whole: ImageEncoder, facts: Mapping[str, str]) -> None:
    sizes = {axis: torch.export.Dim(name) for axis, name in enumerate(("batch", "height", "width"))}
    program = torch.onnx.export(
        whole,
        (_example(int(facts["image_size"])),),
        dynamic_shapes=(sizes,),
        input_names=[INPUT],
        output_names=[OUTPUT],
        verbose=False,
    )
    assert program is not None
    program.model.metadata_props.update(facts)
    program.save(str(path), external_data=False)


def _open_onnx(path: Path) -> Callable[[Images], Codes]:
    import onnxruntime

    session: Any = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return lambda images: np.asarray(session.run([OUTPUT], {INPUT: images})[0])


def _write_torchscript(path: Path, encoder: Encoder, whole: ImageEncoder, facts: Mapping[str, str]) -> None:
    graph = traced(whole, _example(int(facts["image_size"])))
    torch.jit.save(graph, path, _extra_files={"metadata.json": json.dumps(facts)})


def _open_torchscript(path: Path) -> Callable[[Images], Codes]:
    return _codes_of(torch.jit.load(path))  # type: ignore[no-untyped-call]


def _write_safetensors(path: Path, encoder: Encoder, whole: ImageEncoder, facts: Mapping[str, str]) -> None:
    if not isinstance(encoder.origin, Origin):
        raise UserError("the config of this encoder is not known, which a .safetensors file has to hold")
    write_encoder(path, encoder, encoder.origin.config)


def _open_safetensors(path: Path) -> Callable[[Images], Codes]:
    encoder = read_encoder(path)
    assert encoder.image_size is not None
    return _codes_of(image_encoder(encoder, encoder.image_size))


def _codes_of(module: torch.nn.Module) -> Callable[[Images], Codes]:
    def codes(images: Images) -> Codes:
        with torch.inference_mode():
            found: Codes = module(torch.from_numpy(images)).numpy()
        return found

    return codes


FORMATS: Mapping[str, Format] = {
    "onnx": Format("onnx", "onnxruntime", _write_onnx, _open_onnx, ("onnx", "onnxscript", "onnxruntime")),
    "torchscript": Format("torchscript", "torch", _write_torchscript, _open_torchscript),
    "safetensors": Format("safetensors", "safetensors", _write_safetensors, _open_safetensors),
}
"""The formats by name."""
