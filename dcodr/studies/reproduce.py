"""Test metrics of one training of a table, measured once and stored beside its checkpoint."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Unpack

from pydantic import ValidationError

from dcodr.config import Config, EncoderConfig
from dcodr.config.methods import MethodName
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
    if (known := _kept(config, data, folder)) is not None:
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


def kept_results(
    configs: Mapping[MethodName, Config], data: FactorDataset, folder: Path
) -> tuple[dict[tuple[MethodName, int], Result], list[str]]:
    """Read the results of earlier calls.

    Args:
        configs: The config of each system; the seed may be any.
        data: The dataset.
        folder: The folder of the folders METHOD-SEED.

    Returns:
        The results by system and seed, and the names of the folders whose results have another config, other
        data or another way of measuring.
    """
    found: dict[tuple[MethodName, int], Result] = {}
    others = {path.parent.name for path in folder.glob(f"*/{RESULT}")}
    for method, config in configs.items():
        seeds = [name.removeprefix(f"{method}-") for name in others if name.startswith(f"{method}-")]
        # In order, so that means and messages do not depend on the order of files.
        for seed in sorted(map(int, filter(str.isdecimal, seeds))):
            result = _kept(config.model_copy(update={"seed": seed}), data, folder / f"{method}-{seed}")
            if result is not None:
                found[method, seed] = result
    return found, sorted(others - {f"{method}-{seed}" for method, seed in found})


def encoder_start(config: EncoderConfig) -> str:
    """Describe the start weights of an encoder."""
    if config.weights is None:
        return "random weights"
    if config.weights == IMAGENET:
        return "torchvision's ImageNet weights"
    return f"{Path(config.weights).name} {'with' if config.hidden_layer else 'without'} its hidden layer"


def _kept(config: Config, data: FactorDataset, folder: Path) -> Result | None:
    """Read the result of an earlier call with the same config, data and way of measuring."""
    known = _read(folder / RESULT)
    if known and (known.config, known.fingerprint, known.protocol) == (config, data.fingerprint, PROTOCOL):
        return known
    return None


def _read(path: Path) -> Result | None:
    """Read an earlier result; return ``None`` for an unreadable one, which is then measured again."""
    try:
        return Result.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
