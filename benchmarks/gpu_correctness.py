"""Rows of correctness on one GPU: its results equal the CPU's, and no step waits for it.

All random numbers are drawn on the CPU, so both train on the same batches and views.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from benchmarks.measure import Row
from dcodr.augmentations.names import AUGMENTATIONS
from dcodr.augmentations.views import Augment
from dcodr.config import BatchConfig, Config, EncoderConfig, GeneratorConfig, PerceptualConfig
from dcodr.config.parts import METHODS
from dcodr.data.dataset import FactorDataset
from dcodr.data.prepare import prepare_synthetic
from dcodr.data.store import open_store
from dcodr.evaluation.probes import FAST
from dcodr.evaluation.report import evaluate_encoder
from dcodr.models.encoder import Encoder
from dcodr.precision import float32_products
from dcodr.seeding import seeded
from dcodr.training.checkpoint import Epoch
from dcodr.training.memory import hold_to_share
from dcodr.training.trainer import fit, resolve_device

IMAGES = 800
ARCH = "resnet50"
"""Architecture of the encoder whose codes are compared."""
CPU = torch.device("cpu")
SMALL = Config(
    encoder=EncoderConfig(arch="small", code_dim=16),
    generator=GeneratorConfig(channels=16, domain_dim=16),
    perceptual=PerceptualConfig(backbone="pixel"),
    batch=BatchConfig(n_domains=4, n_per_domain=8),
    epochs=2,
    evaluate_every=2,
)


def correctness() -> Iterator[Row]:
    """Yield all rows."""
    with tempfile.TemporaryDirectory(prefix="gpu-correctness-") as folder:
        prepare_synthetic(Path(folder) / "data.h5", IMAGES)
        data = open_store(Path(folder) / "data.h5")
        yield from agreement(data, "cuda")
        yield from on_the_gpu_alone(data)


def agreement(data: FactorDataset, device: str) -> Iterator[Row]:
    """Compare a device with the CPU: views, codes, metrics, losses of all methods and precisions."""
    there = resolve_device(device)
    yield within("views, GPU and CPU", difference(views(CPU), views(there)), 1e-4)
    for tf32, tolerance in ((False, 1e-4), (True, 1e-2)):
        with float32_products(tf32=tf32):
            name = f"codes of {ARCH}, GPU and CPU, {'tf32' if tf32 else 'float32'}"
            yield within(name, difference(codes(data, CPU), codes(data, there)), tolerance)
    for method in METHODS:
        config = SMALL.model_copy(update={"method": method})
        found = apart(losses(config, data, "cpu"), losses(config, data, device))
        yield within(f"losses of {method}, GPU and CPU", found, 0.01)
    reference = losses(SMALL, data, "cpu")
    for precision in ("tf32", "bfloat16"):
        config = SMALL.model_copy(update={"precision": precision})
        found = apart(reference, losses(config, data, device))
        yield within(f"losses of {SMALL.method}, GPU in {precision} and CPU", found, 0.03)
    yield from figures_agree(data, there)


def figures_agree(data: FactorDataset, there: torch.device) -> Iterator[Row]:
    """Compare the metrics of one trained encoder; probes are trained on the device of the codes."""
    encoder = fit(SMALL.model_copy(update={"device": "cpu"}), data).method.encoder
    one, other = (
        evaluate_encoder(encoder.to(device), data, "validation", FAST, seed=0).metrics
        for device in (CPU, there)
    )
    for kind, tolerance in (("retrieval", 0.01), ("probes", 0.05)):
        names = [
            name
            for name in one
            if name.startswith("retrieval") == (kind == "retrieval") and not name.startswith("effective")
        ]
        yield within(
            f"metrics of {kind}, GPU and CPU", max(abs(one[name] - other[name]) for name in names), tolerance
        )


def on_the_gpu_alone(data: FactorDataset) -> Iterator[Row]:
    """Check features that only a GPU has: streamed images, checkpoints, waiting, a share of its memory."""
    resident = losses(SMALL, data, "cuda")
    yield within("losses, images streamed against resident", apart(resident, streamed(data)), 1e-3)
    yield within("losses, resumed against not", apart(resident, resumed(data)), 1e-3)
    waits = waiting(data)
    yield Row("steps that wait for the GPU", "", waits or "none", None, "none", not waits)
    refused = share_is_kept()
    yield Row("a share of the memory is kept", "", "yes" if refused else "no", None, "yes", refused)


def within(work: str, found: float, tolerance: float) -> Row:
    """Return the row of a difference."""
    return Row(work, "", f"differ by {found:.1e}", None, f"<= {tolerance:g}", found <= tolerance)


def difference(one: Tensor, other: Tensor) -> float:
    """Return the largest absolute difference."""
    return (one.cpu() - other.cpu()).abs().max().item()


def apart(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return the largest relative difference of a loss."""
    return max(abs(other[name] - value) / max(abs(value), 1e-3) for name, value in one.items())


def views(device: torch.device) -> Tensor:
    """Make views of random images by all augmentations except rotation, whose nearest pixels may differ."""
    images = torch.rand(256, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    names = [name for name in AUGMENTATIONS if name != "affine"]
    return Augment(names)(images.to(device), torch.Generator().manual_seed(1))


def codes(data: FactorDataset, device: torch.device) -> Tensor:
    """Return codes of an untrained encoder."""
    with seeded(0, device):
        encoder = Encoder(ARCH).eval().to(device)
    images = torch.from_numpy(np.ascontiguousarray(data.images[:64])).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        made: Tensor = encoder(images.to(device))
    return made


def losses(config: Config, data: FactorDataset, device: str, **options: Any) -> dict[str, float]:
    """Train, and return the losses of the last epoch."""
    epochs: list[Epoch] = []
    config = config.model_copy(update={"device": device})
    fit(config, data, on_epoch=epochs.append, **options)
    return epochs[-1].losses


def streamed(data: FactorDataset) -> dict[str, float]:
    """Return losses of a training for whose images the GPU has no room."""
    with mock.patch("dcodr.training.trainer.room_for_images", return_value=0.0):
        return losses(SMALL, data, "cuda")


def resumed(data: FactorDataset) -> dict[str, float]:
    """Return losses of a training that was interrupted after its first epoch."""

    class CutOffError(Exception):
        pass

    def cut_off(epoch: Epoch) -> None:
        raise CutOffError

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pt"
        with suppress(CutOffError):
            fit(SMALL.model_copy(update={"device": "cuda"}), data, on_epoch=cut_off, checkpoint=path)
        return losses(SMALL, data, "cuda", checkpoint=path)


def waiting(data: FactorDataset) -> str:
    """Return the reason why a step of some method waits for the GPU; empty if none does."""

    def on_step(done: int, total: int) -> None:
        torch.cuda.set_sync_debug_mode("error" if done < total else "default")

    for method in METHODS:
        config = SMALL.model_copy(update={"method": method})
        try:
            losses(config, data, "cuda", on_step=on_step)
        except RuntimeError as error:
            return f"{method}: {error}"
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return ""


def share_is_kept() -> bool:
    """Tell whether a process cannot allocate more memory than its share."""
    device = resolve_device("cuda")
    _, total = torch.cuda.mem_get_info(device)
    hold_to_share(0.05)
    try:
        torch.empty(total // 10, dtype=torch.uint8, device=device)
    except torch.cuda.OutOfMemoryError:
        return True
    finally:
        hold_to_share(1.0)
    return False
