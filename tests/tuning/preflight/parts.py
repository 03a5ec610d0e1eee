"""Parts of a rehearsal in processes of their own, which a test cannot patch."""

from typing import TYPE_CHECKING, NoReturn

from dcodr.errors import UserError

if TYPE_CHECKING:
    from tuning.preflight.rehearsal import Timing


def brief(text: str, gpus: float) -> "Timing":
    """Measure for a moment instead of seconds."""
    from tuning.preflight import rehearsal

    rehearsal.STEP_SECONDS = rehearsal.EVALUATION_SECONDS = 0.1
    return rehearsal.measure(text, gpus)


def refusing(text: str, gpus: float) -> NoReturn:
    """Refuse any config, without seconds to import PyTorch."""
    raise UserError(f"cannot train {text} on {gpus} GPUs")
