"""Effects of settings on methods."""

from typing import get_args

import pytest

from dcodr.config import Config
from dcodr.config.methods import MethodName, has_effect


@pytest.mark.parametrize(
    ("key", "methods"),
    [
        ("encoder.code_dim", set(get_args(MethodName))),
        ("encoder_lr", set(get_args(MethodName))),
        ("temperature", {"dcodr", "dcodr_norec", "simclr"}),
        ("strengths.gaussian_blur.sigma", {"dcodr", "dcodr_norec", "simclr"}),
        ("reconstruction_weight", {"dcodr"}),
        ("generator.channels", {"dcodr", "lord", "ml_vae", "drnet"}),
        ("embedding_lr", {"dcodr", "lord"}),
        ("simclr.projection_dim", {"simclr"}),
    ],
)
def test_settings_have_effect_where_they_are_used(key: str, methods: set[str]) -> None:
    assert {name for name in get_args(MethodName) if has_effect(key, name)} == methods


def test_settings_of_a_method_are_named_as_it() -> None:
    own = {name for name in get_args(MethodName) if name in Config.model_fields}
    assert all([m for m in get_args(MethodName) if has_effect(name, m)] == [name] for name in own)
