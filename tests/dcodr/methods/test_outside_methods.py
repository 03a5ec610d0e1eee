"""A method from outside trains as ours do."""

from pathlib import Path
from typing import Any

import pytest
import torch

from dcodr.config import Config, override
from dcodr.config.methods import has_effect
from dcodr.data.dataset import FactorDataset
from dcodr.errors import UserError
from dcodr.methods.build import build_method, shuffles
from dcodr.training.trainer import fit

ALIGN = "mypackage.methods:Align"
pytestmark = pytest.mark.usefixtures("mypackage")


def changed(config: Config, **settings: Any) -> Config:
    return override(config, settings, lambda key, text: UserError(f"{key}: {text}"))


def test_it_trains_and_resumes_exactly(few: FactorDataset, short_config: Config, tmp_path: Path) -> None:
    config = changed(
        short_config,
        method=ALIGN,
        method_settings={"spread": 2.0},
        augmentations=["crop", "mypackage.augmentations:speckle"],
        metrics=["mypackage.metrics:offset"],
        encoder={"arch": "mypackage.nets:tiny"},
        epochs=2,
    )
    whole = fit(config, few)
    metrics = whole.report.metrics
    assert 0 < metrics["mypackage.metrics:offset"] < 1
    assert "mypackage.metrics:offset" not in whole.report.intervals

    class Stopped(Exception):  # noqa: N818
        pass

    def stop(epoch: Any) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        fit(config, few, on_epoch=stop, checkpoint=tmp_path / "c.pt")
    again = fit(config, few, checkpoint=tmp_path / "c.pt")
    assert again.report == whole.report


def test_its_settings_reach_it(short_config: Config) -> None:
    build = [
        build_method(changed(short_config, method=ALIGN, method_settings=own), 4, 64, 32)
        for own in ({}, {"spread": 3.0})
    ]
    assert [method.spread for method in build] == [1.0, 3.0]
    assert [type(method).__name__ for method in build] == ["Align", "Align"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method_settings": {"spread": -1}}, "method_settings.spread: received -1; should be greater"),
        ({"method_settings": {"spred": 1}}, r"method_settings.spred: unknown key \(did you mean spread\?\)"),
        ({"method": "mypackage.nets:tiny"}, "should be a subclass of dcodr.methods.method.Method"),
        ({"method": "stranger:Method"}, "which this machine does not allow"),
    ],
)
def test_wrong_ones_are_refused(settings: dict[str, Any], message: str, short_config: Config) -> None:
    with pytest.raises(UserError, match=message):
        build_method(changed(short_config, **({"method": ALIGN} | settings)), 4, 64, 32)


def test_its_learning_rates_are_settings(short_config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mypackage.methods.Align.learned", lambda self: {"my_lr": []})
    with pytest.raises(UserError, match=r"Align.learned names 'my_lr'; the learning rates are encoder_lr"):
        build_method(changed(short_config, method=ALIGN), 4, 64, 32)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a[b]", r"Align.losses names 'a\[b\]'; letters, digits, - and _ are allowed"),
        (None, "Align.losses returns no 'loss', which is minimised"),
        ("wide", "Align.losses: wide is not a tensor with one number"),
        ("broken", "Align.losses failed: RuntimeError: The size of tensor a"),
    ],
)
def test_losses_that_cannot_be_tracked_are_refused_before_a_step(
    name: str | None, message: str, few: FactorDataset, short_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losses(self: Any, batch: Any) -> dict[str, Any]:
        codes = self.encoder(batch.anchors)
        value = codes + codes[:, :2] if name == "broken" else codes.mean()
        return {name: codes if name == "wide" else value, "loss": value} if name else {"total": value}

    def step(*_: Any) -> None:
        pytest.fail("a step was taken")

    monkeypatch.setattr("mypackage.methods.Align.losses", losses)
    with pytest.raises(UserError, match=message):
        fit(changed(short_config, method=ALIGN), few, on_step=step)


def test_it_says_how_its_batches_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not shuffles(ALIGN)
    monkeypatch.setattr("mypackage.methods.Align.shuffled", True)
    assert shuffles(ALIGN)
    assert shuffles("simclr")
    assert not shuffles("dcodr")


def test_it_may_use_shared_settings_and_its_own_only() -> None:
    for key in ("temperature", "augmentations", "encoder.arch", "generator_lr", "method_settings.spread"):
        assert has_effect(key, ALIGN)
    for key in ("simclr.projection_dim", "lord.noise", "drnet.discriminator_lr"):
        assert not has_effect(key, ALIGN)
    assert not has_effect("method_settings.spread", "dcodr")


def test_its_encoder_is_what_it_learns(short_config: Config) -> None:
    method = build_method(changed(short_config, method=ALIGN), 4, 64, 32)
    assert set(method.learned()) == {"encoder_lr"}
    assert {id(p) for p in method.learned()["encoder_lr"]} == {id(p) for p in method.encoder.parameters()}
    assert isinstance(method, torch.nn.Module)
