"""Encoders in a single file of plain weights; reading it executes no code."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from dcodr.config import Config
from dcodr.data.dataset import FIT_MODES, FitMode
from dcodr.errors import UserError
from dcodr.files import appearing
from dcodr.models.encoder import Encoder
from dcodr.training.checkpoint import encoder_with
from dcodr.training.origin import Origin

_ORIGIN = TypeAdapter(Origin)


def write_encoder(path: Path, encoder: Encoder, config: Config) -> str:
    """Write an encoder's weights as safetensors, with its origin in the header; return the file's SHA-256.

    The same weights and origin give the same bytes.

    Raises:
        UserError: If the file cannot be written.
    """
    weights = {name: value.detach().cpu().contiguous() for name, value in encoder.state_dict().items()}
    with appearing(path) as temporary:
        # One entry only: safetensors writes several in no fixed order.
        known = encoder.origin if isinstance(encoder.origin, Origin) else Origin(config)
        origin = _ORIGIN.dump_python(replace(known, config=config), mode="json")
        header = {**origin, "image_size": encoder.image_size, "fit": encoder.fit}
        # `save_file` would make a file that only its owner can read.
        temporary.write_bytes(save(weights, metadata={"dcodr": json.dumps(header)}))
    return sha256(path)


def read_encoder(path: Path, expected_sha256: str | None = None) -> Encoder:
    """Read an encoder written by ``write_encoder``; nothing in the file is executed.

    The encoder is on the CPU and in evaluation mode.

    Raises:
        UserError: If the file is missing, damaged, or not the expected one.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if expected_sha256 is not None and (found := sha256(path)) != expected_sha256:
        raise UserError(
            f"{path.name}: its SHA-256 is {found}, but {expected_sha256} was recorded when it was written: "
            "the file has changed since; do not use it"
        )
    try:
        with safe_open(path, framework="pt") as file:
            origin, image_size, fit = _header(file.metadata() or {})
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: damaged, or not an encoder of dcodr: {reason}") from error
    encoder = encoder_with(weights, origin.config.encoder, image_size, fit)
    encoder.origin = origin
    return encoder


def _header(metadata: dict[str, str]) -> tuple[Origin, int | None, FitMode]:
    """Return the origin, and size and fit of the images; files of earlier versions lack parts of them."""
    if "config" in metadata:
        return Origin(Config.model_validate_json(metadata["config"])), None, "crop"
    header = json.loads(metadata["dcodr"])
    size, fit = header["image_size"], header.get("fit", "crop")
    if fit not in FIT_MODES:
        raise ValueError(f"fit is {fit!r}")
    return _ORIGIN.validate_json(metadata["dcodr"]), None if size is None else int(size), fit


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
