"""The identity of trials with the same training."""

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcodr.augmentations.names import PAPER_13
from dcodr.config import Config
from dcodr.config.methods import MethodName, has_effect
from tests.tuning.sampling.spaces import mixed
from tuning.ledger.encoding import decode, encode
from tuning.ledger.trials import Begun, identity
from tuning.sampling.points import Points
from tuning.space.params import Param

METHODS = get_args(MethodName)
ALL: dict[str, Any] = {
    "augmentations": PAPER_13[:3],
    "temperature": 0.1,
    "encoder_lr": 1e-3,
    "generator_lr": 1e-3,
    "embedding_lr": 1e-2,
    "reconstruction_weight": 0.5,
    "simclr.projection_dim": 64,
    "lord.noise": 1.0,
    "ml_vae.kl_weight": 0.5,
    "drnet.adversarial_weight": 0.1,
}
OTHER: dict[str, Any] = {
    key: PAPER_13[2:5] if key == "augmentations" else 2 * value for key, value in ALL.items()
}
PARAMS = mixed()


def drawn(method: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return all of a trial's settings as what Optuna draws, those that its method does not use included."""
    return encode(PARAMS, values) | {"method": method}


def identity_of(params: dict[str, Param], drawn: dict[str, Any]) -> str:
    return identity(Begun(0, decode(params, drawn), Config.model_construct(seed=0), confirms=None))


@pytest.mark.parametrize("key", ALL)
@pytest.mark.parametrize("method", METHODS)
def test_a_setting_changes_what_is_trained_if_its_method_uses_it(method: MethodName, key: str) -> None:
    assert PARAMS.keys() == {"method", *ALL}
    one, other = drawn(method, ALL), drawn(method, ALL | {key: OTHER[key]})
    assert (identity_of(PARAMS, one) != identity_of(PARAMS, other)) == has_effect(key, method)
    rows = Points(PARAMS).features([one, other])
    assert (rows[0].tolist() != rows[1].tolist()) == has_effect(key, method)


@settings(max_examples=60)
@given(method=st.sampled_from(METHODS), changed=st.sets(st.sampled_from(sorted(ALL))))
def test_only_used_settings_make_an_identity(method: MethodName, changed: set[str]) -> None:
    one, other = drawn(method, ALL), drawn(method, ALL | {key: OTHER[key] for key in changed})
    matters = any(has_effect(key, method) for key in changed)
    assert (identity_of(PARAMS, one) != identity_of(PARAMS, other)) == matters
    assert (Points(PARAMS).features([one, other]).std(axis=0).max() > 0) == matters
