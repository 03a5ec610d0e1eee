"""The training loop: reproduces itself, refuses what does not fit. That it learns and resumes: methods/."""

import errno
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dcodr.config import BatchConfig, Config
from dcodr.data.dataset import SPLITS, FactorDataset
from dcodr.errors import DivergedError, UserError
from dcodr.files import CHECKPOINT
from dcodr.methods.batch import Batch
from dcodr.methods.build import build_method
from dcodr.methods.dcodr_norec import DCoDRNorec
from dcodr.methods.method import Method
from dcodr.training.batches import build_sampler
from dcodr.training.checkpoint import Epoch, load_checkpoint
from dcodr.training.trainer import fit, require_compiler
from tests.faults.full_disk import files_end_at


def history(config: Config, data: FactorDataset, checkpoint: Path | None = None) -> list[Epoch]:
    epochs: list[Epoch] = []
    fit(config, data, on_epoch=epochs.append, checkpoint=checkpoint)
    return epochs


def test_equal_trainings_have_bit_equal_metrics(short_config: Config, few: FactorDataset) -> None:
    one, two = history(short_config, few), history(short_config, few)
    assert [epoch.losses for epoch in one] == [epoch.losses for epoch in two]
    assert one[-1].report is not None
    assert two[-1].report is not None
    assert one[-1].report.metrics == two[-1].report.metrics
    blur = {"gaussian_blur": {"sigma": 3.0}}
    for change in ({"seed": 1}, {"strengths": blur}):
        other = history(short_config.model_copy(update=change), few)
        assert other[0].losses != one[0].losses


def test_dropout_is_reproduced_and_resumed(
    short_config: Config, few: FactorDataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def with_dropout(*args: Any) -> Method:
        method: Any = build_method(*args)
        method.encoder = nn.Sequential(method.encoder, nn.Dropout(0.5))
        built: Method = method
        return built

    monkeypatch.setattr("dcodr.training.trainer.build_method", with_dropout)
    config = short_config.model_copy(update={"method": "dcodr_norec", "epochs": 3, "evaluate_every": 3})

    def losses(path: Path | None = None, stop: int = 3) -> list[float]:
        found: list[float] = []

        def end(epoch: Epoch) -> None:
            found.append(epoch.losses["loss"])
            if len(found) == stop:
                raise KeyboardInterrupt

        with suppress(KeyboardInterrupt):
            fit(config, few, checkpoint=path, on_epoch=end)
        return found

    whole = losses()
    torch.rand(7)  # the state of the caller's generator does not matter
    assert losses(tmp_path / CHECKPOINT, stop=2) == whole[:2]
    assert losses(tmp_path / CHECKPOINT, stop=2) == whole[1:]


@pytest.mark.parametrize("method", ["dcodr", "dcodr_norec", "ml_vae"])
def test_compiled_networks_train_alike(
    method: str, short_config: Config, few: FactorDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    inner = nn.Module.compile

    def spy(self: nn.Module) -> None:
        compiled.append(type(self).__name__)
        inner(self, backend="eager")  # the same graphs, without a minute of a C++ compiler

    monkeypatch.setattr(nn.Module, "compile", spy)
    monkeypatch.setenv("CXX", sys.executable)  # a program that is there, also on machines without a compiler
    config = short_config.model_copy(update={"method": method})
    plain = history(config, few)
    assert compiled == []
    faster = history(config.model_copy(update={"compile": True}), few)
    # An encoder compiles its parts, and the ML-VAE has two encoders.
    assert compiled.count("Identity") == (2 if method == "ml_vae" else 1)
    assert ("Generator" in compiled) == (method == "dcodr")
    assert faster[0].losses == pytest.approx(plain[0].losses, rel=1e-4)


@pytest.mark.parametrize(
    ("device", "variable", "named"), [("cpu", "CXX", None), ("cuda", "CC", None), ("cpu", "CXX", "nowhere")]
)
def test_networks_are_not_compiled_without_a_compiler(
    device: str, variable: str, named: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable, raising=False)
    if named is None:
        monkeypatch.setenv("PATH", str(tmp_path))
    else:
        monkeypatch.setenv(variable, named)
    with pytest.raises(UserError, match=rf"no compiler .*{named or 'g'}.*set compile to false"):
        require_compiler(torch.device(device))
    monkeypatch.setenv(variable, sys.executable)
    require_compiler(torch.device(device))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("method", ["dcodr", "dcodr_norec"])
def test_steps_do_not_wait_for_the_gpu(method: str, short_config: Config, few: FactorDataset) -> None:
    def on_step(done: int, total: int) -> None:
        torch.cuda.set_sync_debug_mode("error" if done < total else "default")

    config = short_config.model_copy(update={"method": method, "device": "cuda"})
    try:
        fit(config, few, on_step=on_step)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_learning_rates_decay_in_steps(short_config: Config, few: FactorDataset, tmp_path: Path) -> None:
    config = short_config.model_copy(
        update={"epochs": 3, "lr_decay_epochs": 2, "lr_decay": 0.5, "evaluate_every": 9}
    )
    rates = []

    def note(epoch: Epoch) -> None:
        groups = load_checkpoint(tmp_path / "c.pt").optimizer["param_groups"]
        rates.append({group["setting"]: group["lr"] for group in groups})

    fit(config, few, on_epoch=note, checkpoint=tmp_path / "c.pt")
    first = {"encoder_lr": 1e-3, "generator_lr": 3e-4, "embedding_lr": 3e-3}
    assert rates == [first, first, {name: rate / 2 for name, rate in first.items()}]


def test_a_warm_up_raises_the_rates_of_the_schedule(
    short_config: Config, few: FactorDataset, tmp_path: Path
) -> None:
    update = {"epochs": 5, "lr_warmup_epochs": 3, "lr_decay_epochs": 2, "lr_decay": 0.5, "evaluate_every": 9}
    rates = []

    def note(epoch: Epoch) -> None:
        rates.append(load_checkpoint(tmp_path / "c.pt").optimizer["param_groups"][0]["lr"])

    fit(short_config.model_copy(update=update), few, on_epoch=note, checkpoint=tmp_path / "c.pt")
    assert rates == pytest.approx([1e-3 * share for share in (1 / 4, 2 / 4, 3 / 8, 1 / 2, 1 / 4)])


def test_weight_decay_shrinks_weights_as_adamw_does(short_config: Config, few: FactorDataset) -> None:
    """Steps of Adam with a tiny rate hardly move the weights, so what is left is their decay."""
    quiet = {"epochs": 1, "evaluate_every": 9, "encoder_lr": 1e-8, "method": "dcodr_norec"}
    start, shrunk = (
        fit(short_config.model_copy(update=quiet | {"weight_decay": decay}), few).method.encoder
        for decay in (0.0, 1e7)
    )
    n_steps = len(build_sampler(short_config, few.domain[few.indices("train")]))
    for before, after in zip(start.parameters(), shrunk.parameters(), strict=True):
        torch.testing.assert_close(after, before * (1 - 1e-8 * 1e7) ** n_steps, rtol=1e-3, atol=1e-5)


def test_the_cosine_schedule_is_that_of_pytorch(
    short_config: Config, few: FactorDataset, tmp_path: Path
) -> None:
    config = short_config.model_copy(
        update={"method": "lord", "lr_schedule": "cosine", "epochs": 4, "evaluate_every": 9}
    )
    rates = []

    def note(epoch: Epoch) -> None:
        groups = load_checkpoint(tmp_path / "c.pt").optimizer["param_groups"]
        rates.append({group["setting"]: group["lr"] for group in groups})

    fit(config, few, on_epoch=note, checkpoint=tmp_path / "c.pt")
    for name in ("encoder_lr", "generator_lr", "embedding_lr"):
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=getattr(config, name))
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4, eta_min=1e-5)
        expected = []
        for _ in range(4):
            expected += schedule.get_last_lr()
            optimizer.step()
            schedule.step()
        assert [of_epoch[name] for of_epoch in rates] == pytest.approx(expected, rel=1e-9)


def test_a_rate_below_the_end_of_the_cosine_is_not_raised(
    short_config: Config, few: FactorDataset, tmp_path: Path
) -> None:
    update = {"method": "dcodr_norec", "lr_schedule": "cosine", "encoder_lr": 1e-6, "epochs": 2}
    fit(short_config.model_copy(update=update), few, checkpoint=tmp_path / "c.pt")
    (group,) = load_checkpoint(tmp_path / "c.pt").optimizer["param_groups"]
    assert group["lr"] == pytest.approx(1e-6)


def test_a_training_records_how_its_images_were_made(
    short_config: Config, few: FactorDataset, tmp_path: Path
) -> None:
    fit(short_config, replace(few, provenance={"fit": "pad"}), checkpoint=tmp_path / "c.pt")
    trained = load_checkpoint(tmp_path / "c.pt")
    assert (trained.image_size, trained.fit) == (64, "pad")


def test_a_checkpoint_of_another_training_is_refused(
    short_config: Config, few: FactorDataset, tmp_path: Path
) -> None:
    fit(short_config, few, checkpoint=tmp_path / "c.pt")
    other = short_config.model_copy(update={"temperature": 0.5})
    with pytest.raises(UserError, match=r"another config; temperature: 0\.2 there, 0\.5 here"):
        fit(other, few, checkpoint=tmp_path / "c.pt")


def test_only_training_images_are_trained_on(
    tiny_config: Config, tiny: FactorDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    inner = DCoDRNorec.losses

    def spy(self: DCoDRNorec, batch: Batch) -> dict[str, Tensor]:
        seen.append(batch.anchors)
        assert torch.equal(batch.domain.view(4, 8)[:, :1].expand(4, 8), batch.domain.view(4, 8))
        return inner(self, batch)

    monkeypatch.setattr(DCoDRNorec, "losses", spy)
    fit(tiny_config.model_copy(update={"method": "dcodr_norec", "epochs": 1}), tiny)

    def keys(images: np.ndarray) -> set[bytes]:
        return {image.tobytes() for image in images}

    batches = (torch.cat(seen) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    held_out = np.concatenate([tiny.indices("validation"), tiny.indices("test")])
    assert keys(batches) <= keys(tiny.images[tiny.indices("train")])
    assert not keys(batches) & keys(tiny.images[held_out])


def test_a_diverged_training_says_so(short_config: Config, few: FactorDataset) -> None:
    with pytest.raises(DivergedError, match=r"not finite in epoch \d"):
        fit(short_config.model_copy(update={"encoder_lr": 1e30, "generator_lr": 1e30}), few)


def test_what_does_not_fit_is_refused(tiny_config: Config, tiny: FactorDataset) -> None:
    too_many = tiny_config.model_copy(update={"batch": BatchConfig(n_domains=5, n_per_domain=8)})
    with pytest.raises(UserError, match="5"):
        fit(too_many, tiny)
    too_large = tiny_config.model_copy(update={"batch": BatchConfig(n_domains=4, n_per_domain=80)})
    with pytest.raises(UserError, match=r"n_per_domain is 80, .* \(domain (cube|cylinder|sphere|capsule)"):
        fit(too_large, tiny)
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="no usable GPU"):
            fit(tiny_config.model_copy(update={"device": "cuda"}), tiny)


def test_too_few_validation_images_are_refused_before_the_first_epoch(
    short_config: Config, few: FactorDataset
) -> None:
    split = few.split.copy()
    split[np.flatnonzero(split == SPLITS.index("validation"))[1:]] = SPLITS.index("train")
    with pytest.raises(UserError, match=r"split 'validation' of .* has 1 image; at least 2 are needed"):
        fit(short_config, replace(few, split=split), on_step=lambda step, of: pytest.fail("trained"))


def test_bfloat16_trains_close_to_float32(short_config: Config, few: FactorDataset) -> None:
    full = history(short_config, few)[0].losses
    half = history(short_config.model_copy(update={"precision": "bfloat16"}), few)[0].losses
    assert half["loss"] == pytest.approx(full["loss"], rel=0.03)
    assert half["loss"] != full["loss"]


def test_tf32_is_float32_on_the_cpu(short_config: Config, few: FactorDataset) -> None:
    exact, rounded = (
        history(short_config.model_copy(update={"precision": precision}), few)[0]
        for precision in ("float32", "tf32")
    )
    assert rounded.losses == exact.losses
    assert rounded.report == exact.report


def test_the_callers_random_state_is_left_alone(short_config: Config, few: FactorDataset) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    fit(short_config, few)
    assert torch.equal(torch.rand(3), expected)


def test_a_damaged_checkpoint_costs_one_epoch(
    short_config: Config, few: FactorDataset, tmp_path: Path
) -> None:
    path = tmp_path / "c.pt"
    config = short_config.model_copy(update={"epochs": 3, "evaluate_every": 3})
    whole = history(config, few)

    def stop(epoch: Epoch) -> None:
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(config, few, on_epoch=stop, checkpoint=path)
    path.write_bytes(path.read_bytes()[:1000])
    resumed: list[tuple[int, str | None]] = []
    epochs: list[Epoch] = []
    fit(
        config,
        few,
        on_epoch=epochs.append,
        on_resume=lambda epoch, damage: resumed.append((epoch, damage)),
        checkpoint=path,
    )
    ((epoch, damage),) = resumed
    assert epoch == 1
    assert damage is not None
    assert "c.pt: damaged" in damage
    assert [epoch.losses for epoch in epochs] == [epoch.losses for epoch in whole]
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]


def test_a_full_disk_ends_a_training_or_is_told(
    short_config: Config, few: FactorDataset, tmp_path: Path
) -> None:
    path, told = tmp_path / "checkpoint.pt", list[str]()
    config = short_config.model_copy(update={"method": "dcodr_norec", "epochs": 2})
    reference = fit(config, few).report
    with files_end_at(1000):
        with pytest.raises(UserError, match=r"cannot write .*checkpoint\.pt: .*is the disk full"):
            fit(config, few, checkpoint=path)
        found = fit(config, few, checkpoint=path, on_unsaved=lambda error: told.append(str(error)))
    assert found.report.metrics == reference.metrics
    assert ["cannot write" in text for text in told] == [True, True]
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_stays_if_the_last_one_cannot_be_put_in_place(
    short_config: Config, few: FactorDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, flush = tmp_path / "checkpoint.pt", os.fsync
    config = short_config.model_copy(update={"method": "dcodr_norec", "epochs": 2})

    def on_epoch(epoch: Epoch) -> None:
        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)

    fit(config, few, checkpoint=path, on_epoch=on_epoch, on_unsaved=lambda error: None)
    monkeypatch.setattr(os, "fsync", flush)
    resumed: list[int] = []
    fit(config, few, checkpoint=path, on_resume=lambda epoch, _: resumed.append(epoch))
    assert resumed == [1]
