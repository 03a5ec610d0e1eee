"""Test metrics of one training of a table, measured once and stored beside its checkpoint."""

from collections.abc import Callable
from pathlib import Path
from typing import Unpack

from pydantic import ValidationError

from dcodr.config import Config, EncoderConfig
from dcodr.data.dataset import FactorDataset
from dcodr.evaluation.metrics import MetricValues
from dcodr.evaluation.probes import PAPER
from dcodr.evaluation.report import PROTOCOL, evaluate_encoder
from dcodr.files import CHECKPOINT, IMAGENET, write_text
from dcodr.strict_yaml import StrictModel
from dcodr.training.trainer import Callbacks, fit

RESULT = "result.json"


class Result(StrictModel):
    """Metrics of a training on the test images, with the paper's probe.

    Attributes:
        config: The config of the training.
        fingerprint: The fingerprint of its dataset.
        protocol: ``evaluation.report.PROTOCOL`` of the measurement; results of other protocols are measured
            again.
        metrics: All metrics of ``evaluation.report.Report``.
        infeasible: The reason why its metrics must not compete; ``None`` if there is none.
    """

    config: Config
    fingerprint: str
    protocol: int
    metrics: MetricValues
    infeasible: str | None


def train_and_test(
    config: Config,
    data: FactorDataset,
    folder: Path,
    *,
    on_test: Callable[[], None] = lambda: None,
    **callbacks: Unpack[Callbacks],
) -> Result:
    """Train a config and test it, or finish the work of an earlier call.

    The folder keeps the checkpoint and the result. The callbacks are those of ``fit``, and ``on_test``, which
    is called between the training and the test.

    Raises:
        UserError: If the folder holds a training of another config or other data, or if ``fit`` raises it.
        DivergedError: If a loss is not finite.
    """
    # 1. Reuse an earlier result, unless the config, the data or the way of measuring has changed.
    known = _read(folder / RESULT)
    if known and (known.config, known.fingerprint, known.protocol) == (config, data.fingerprint, PROTOCOL):
        return known
    # 2. Train, or continue from the checkpoint. A complete training runs no further epoch.
    trained = fit(config, data, checkpoint=folder / CHECKPOINT, **callbacks)
    # 3. Touch the test images only now, once per result.
    on_test()
    report = evaluate_encoder(trained.method.encoder, data, "test", PAPER, seed=config.seed)
    result = Result(
        config=config,
        fingerprint=data.fingerprint,
        protocol=PROTOCOL,
        metrics=dict(report.metrics),
        infeasible=report.infeasible,
    )
    write_text(folder / RESULT, result.model_dump_json(indent=2) + "\n")
    return result


def encoder_start(config: EncoderConfig) -> str:
    """Describe the start weights of an encoder."""
    if config.weights is None:
        return "random weights"
    if config.weights == IMAGENET:
        return "torchvision's ImageNet weights"
    return f"{Path(config.weights).name} {'with' if config.hidden_layer else 'without'} its hidden layer"


def _read(path: Path) -> Result | None:
    """Read an earlier result; return ``None`` for an unreadable one, which is then measured again."""
    try:
        return Result.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
