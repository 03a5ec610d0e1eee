"""A part of a rehearsal that fails in its process, without seconds to import PyTorch."""

from typing import NoReturn

from dcodr.errors import UserError


def refuse(text: str, gpus: float) -> NoReturn:
    """Refuse a config, whatever it is."""
    raise UserError(f"cannot train {text} on {gpus} GPUs")
