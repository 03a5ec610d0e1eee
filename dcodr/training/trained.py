"""Trained encoders: load one, and measure its codes."""

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal

from torch import nn

from dcodr.data.dataset import FactorDataset
from dcodr.errors import UserError
from dcodr.evaluation import report
from dcodr.evaluation.judges import Verdicts, ask_all, verdicts
from dcodr.evaluation.probes import FAST, PAPER
from dcodr.evaluation.report import Report
from dcodr.files import CHECKPOINT
from dcodr.models.encoder import Encoder
from dcodr.precision import float32_products
from dcodr.training.checkpoint import load_checkpoint, trained_encoder
from dcodr.training.encoder_file import read_encoder
from dcodr.training.trainer import resolve_device


def load(path: str | Path) -> Encoder:
    """Read a trained encoder; nothing in its file is executed.

    Args:
        path: An output folder of ``python -m dcodr train``, a checkpoint, a ``.safetensors`` file of
            ``encoder_file.write_encoder``, or ``models:/SEARCH@ALIAS``, a model that a search in ``runs``
            registered (see ``tuning.load_model``).

    Returns:
        The encoder, on the CPU and in evaluation mode. It maps images ``(B, 3, H, W)``, float in [0, 1], to
        codes ``(B, code_dim)`` of length 1.

    Raises:
        UserError: If there is no such encoder, or its file is damaged or has changed.
    """
    if str(path).startswith("models:/"):
        return _registered(str(path))
    path = Path(path)
    if path.suffix == ".safetensors":
        return read_encoder(path)
    return trained_encoder(load_checkpoint(path / CHECKPOINT if path.is_dir() else path))


def _registered(uri: str) -> Encoder:
    """Load a registered encoder through an installed package's entry point; ``dcodr`` does not use MLflow."""
    loaders = entry_points(group="dcodr.encoders", name="models")
    if not loaders:
        raise UserError(f"{uri}: no installed package reads registered models: run 'make install' again")
    encoder: Encoder = next(iter(loaders)).load()(uri)
    return encoder


def evaluate(
    encoder: nn.Module,
    data: FactorDataset,
    split: Literal["test", "validation"] = "test",
    *,
    probe: Literal["paper", "fast"] = "paper",
    seed: int = 0,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    metrics: Sequence[str] = (),
) -> Report:
    """Measure the information of an encoder's codes about the domain and the attributes.

    Fresh probes are fitted on the codes of the train split. With a training's seed and threads, the metrics
    equal those of ``python -m dcodr evaluate``.

    Args:
        encoder: Maps float images ``(B, 3, H, W)`` in [0, 1] to ``(B, d)``; it is moved to the device.
        data: Images and labels.
        split: The split to score.
        probe: The paper's six-layer probe, or the fast probe that scores the trials of a search. Their
            metrics are not comparable.
        seed: Seed of the probes and of the bootstrap behind the intervals.
        device: Device of the computation; ``auto`` selects a GPU if there is one.
        metrics: Names of metrics of your own, ``package.module:name``, see docs/extending.md.

    Raises:
        UserError: If the split has fewer than two images, the images were prepared otherwise than those of
            the encoder's training, there is no such device, or a metric of your own fails or is not allowed.
    """
    _require_prepared(encoder, data)
    where = resolve_device(device)
    budget = {"paper": PAPER, "fast": FAST}[probe]
    return report.evaluate_encoder(encoder.to(where), data, split, budget, seed=seed, metrics=metrics)


def _require_prepared(encoder: nn.Module, data: FactorDataset) -> None:
    """Refuse images that were prepared otherwise than an encoder's, if that is known."""
    if isinstance(encoder, Encoder) and encoder.image_size is not None:
        data.require(encoder.image_size, encoder.fit, f"the dataset {data.spec.name}")


@float32_products(tf32=False)
def judge(
    encoder: nn.Module,
    data: FactorDataset,
    split: Literal["test", "validation"] = "test",
    *,
    seed: int = 0,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    metrics: Sequence[str] = (),
    on_judge: Callable[[str], None] = lambda name: None,
) -> tuple[Report, Verdicts]:
    """Measure an encoder's codes with the paper's probe, and by all judges of `dcodr.evaluation.judges`.

    Args:
        encoder: See :func:`evaluate`.
        data: Images and labels.
        split: The split to score.
        seed: Seed of the judges.
        device: Device of the encoder and of the probes; the trees always use the CPU.
        metrics: See :func:`evaluate`.
        on_judge: Called with the name of each judge before it is asked.

    Returns:
        The report of :func:`evaluate` with the paper's probe, and the answers of all judges.

    Raises:
        UserError: As :func:`evaluate`, or if a code is not finite.
    """
    _require_prepared(encoder, data)
    where = resolve_device(device)
    encoded = report.encode_split(encoder.to(where), data, split)
    if not encoded.finite:
        raise UserError("the codes contain NaN or infinite values, so there is nothing to judge")
    answers = ask_all(encoded, seed, on_judge)
    return report.summarise(encoded, answers["paper"], seed=seed, metrics=metrics), verdicts(encoded, answers)
