"""The test figures of one training of a table, measured once and kept beside its checkpoint."""

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from dcodr.config import Config, EncoderConfig
from dcodr.data.dataset import FactorDataset
from dcodr.evaluation.probes import PAPER
from dcodr.evaluation.report import PROTOCOL, evaluate
from dcodr.files import CHECKPOINT, IMAGENET, write_text
from dcodr.strict_yaml import StrictModel
from dcodr.training.epoch import Epoch
from dcodr.training.trainer import fit, resolve_device

RESULT = "result.json"


class Result(StrictModel):
    """What was measured of a training on the test images, under the paper's probe.

    Attributes:
        config: The training.
        fingerprint: The dataset it was trained and tested on.
        protocol: How it was measured, ``evaluation.report.PROTOCOL``; what was measured otherwise is measured
            again.
        figures: All figures of ``evaluation.report.Report``.
        infeasible: Why its codes have collapsed; ``None`` if they have not.
    """

    config: Config
    fingerprint: str
    protocol: int
    figures: dict[str, float]
    infeasible: str | None


def reproduce(
    config: Config,
    data: FactorDataset,
    folder: Path,
    *,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    on_step: Callable[[int, int], None] = lambda done, total: None,
    on_resume: Callable[[int, str | None], None] = lambda epoch, damage: None,
    on_streamed: Callable[[str], None] = lambda reason: None,
    on_test: Callable[[], None] = lambda: None,
) -> Result:
    """Train a config and test it, or do only what an earlier call has left to do.

    Args:
        config: The training.
        data: Its dataset.
        folder: Keeps the checkpoint and the result.
        on_epoch: As in ``fit``.
        on_step: As in ``fit``.
        on_resume: As in ``fit``.
        on_streamed: As in ``fit``.
        on_test: Called when the training has ended and the probes begin.

    Raises:
        UserError: If the folder holds a training of another config or other data, or as ``fit`` raises it.
        DivergedError: If a loss is not finite.
    """
    known = _read(folder / RESULT)
    if known and (known.config, known.fingerprint, known.protocol) == (config, data.fingerprint, PROTOCOL):
        return known
    trained = fit(
        config,
        data,
        on_epoch=on_epoch,
        on_step=on_step,
        on_resume=on_resume,
        on_streamed=on_streamed,
        checkpoint=folder / CHECKPOINT,
    )
    on_test()
    device = resolve_device(config.device)
    report = evaluate(trained.method.encoder, data, "test", PAPER, seed=config.seed, device=device)
    result = Result(
        config=config,
        fingerprint=data.fingerprint,
        protocol=PROTOCOL,
        figures=dict(report.figures),
        infeasible=report.infeasible,
    )
    write_text(folder / RESULT, result.model_dump_json(indent=2) + "\n")
    return result


def encoder_start(config: EncoderConfig) -> str:
    """Say where an encoder starts from, in words."""
    if config.weights is None:
        return "random weights"
    if config.weights == IMAGENET:
        return "torchvision's ImageNet weights"
    return f"{Path(config.weights).name} {'with' if config.hidden_layer else 'without'} its hidden layer"


def _read(path: Path) -> Result | None:
    """An earlier result; one that cannot be read is measured again."""
    try:
        return Result.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
