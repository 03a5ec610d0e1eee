"""Configs: the paper's presets, round trips, overrides and conflicts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcodr.augmentations.names import STRENGTHS
from dcodr.config import PRESETS, Config, differences, dump_config, nested, override, read_config, setting
from dcodr.config.methods import MethodName
from dcodr.errors import UserError
from dcodr.strict_yaml import parse_yaml

ROOT = Path(__file__).parents[3]

# Supplement, section 2: temperature, encoder learning rate, generator learning rate, three-layer head.
PUBLISHED = {
    "cars3d": (0.2, 1e-4, 3e-4, False),
    "smallnorb": (0.2, 1e-4, 3e-4, True),
    "celeba": (0.2, 1e-3, 1e-3, False),
    "shapes3d": (0.1, 1e-4, 3e-4, True),
    "edges2shoes": (0.1, 1e-4, 3e-4, False),
}


@pytest.mark.parametrize(("dataset", "published"), PUBLISHED.items())
def test_presets_have_the_published_settings(
    dataset: str, published: tuple[float, float, float, bool]
) -> None:
    config = PRESETS[dataset]
    assert (config.temperature, config.encoder_lr, config.generator_lr, config.encoder.head) == published
    assert config.dataset == dataset
    assert config.encoder.arch == "resnet50"
    assert config.perceptual.backbone == "vgg16"
    assert not config.perceptual.normalise  # the weight 0.3 belongs to the distance of the official code
    assert config.epochs == 200
    # Nobody in CelebA has 32 training images, Edges2Shoes has two domains: their batches are others.
    expected = {"celeba": (6, 20), "edges2shoes": (2, 64)}.get(dataset, (4, 32))
    assert (config.batch.n_domains, config.batch.n_per_domain) == expected
    assert config.reconstruction_weight == 0.3
    assert set(config.augmentations) == {"gaussian_blur", "high_contrast", "high_saturation", "crop"}


@pytest.mark.parametrize("config", PRESETS.values(), ids=PRESETS)
def test_a_dumped_config_reads_back_the_same(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(dump_config(config, {"search": "s", "validation": {"invariance": 0.1 + 0.2}}))
    again, provenance = read_config(path)
    assert again == config
    assert provenance["validation"]["invariance"] == 0.1 + 0.2


def test_augmentations_have_one_canonical_order() -> None:
    one = Config(augmentations=("gaussian_blur", "crop"))
    assert one == Config(augmentations=("crop", "gaussian_blur"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("temprature: 0.1\n", "line 1: temprature: unknown key (did you mean temperature?)"),
        ("temperature: 0\n", "line 1: temperature: received 0; should be greater than 0"),
        ("epochs: 2.5\n", "line 1: epochs: received 2.5"),
        ("augmentations: []\n", "line 1: augmentations"),
        ("augmentations: [blur]\n", "unknown augmentation 'blur' (did you mean gaussian_blur?)"),
        ("augmentations: [crop, crop]\n", "crop is given twice"),
        ("method: simsiam\n", "line 1: method: received 'simsiam'"),
        ("encoder:\n  arch: vit\n", "line 2: encoder.arch: received 'vit'"),
        (
            "perceptual: {backbone: pixel, layers: [1]}\n",
            "perceptual.layers has no meaning for the pixel distance",
        ),
        ("encoder: {arch: small, hidden_layer: true}\n", "encoder.hidden_layer is for resnet18 and resnet50"),
        ("provenance: 3\n", "line 1: provenance: received 3"),
        ("strengths: 3\n", "line 1: strengths: received 3; should be a mapping"),
        (
            "strengths:\n  blur: {sigma: 2}\n",
            "line 2: strengths.blur: no augmentation with strengths (did you mean gaussian_blur?)",
        ),
        (
            "strengths: {grayscale: {}}\n",
            "strengths.grayscale: received {}; no augmentation with strengths",
        ),
        ("strengths: {crop: 0.5}\n", "line 1: strengths.crop: received 0.5; should be a mapping"),
        (
            "strengths:\n  gaussian_blur:\n    sgima: 2\n",
            "line 3: strengths.gaussian_blur.sgima: received 2; unknown strength (did you mean sigma?)",
        ),
        (
            "strengths:\n  crop: {min_scale: 0.6}\n  affine: {degrees: 200}\n",
            "line 3: strengths.affine.degrees: received 200; should be from 0 to 180",
        ),
        (
            "strengths: {affine: {degrees: true}}\n",
            "strengths.affine.degrees: received True; should be a valid number",
        ),
        (
            "strengths: {affine: {degrees: .nan}}\n",
            "strengths.affine.degrees: received nan; should be a finite number",
        ),
        (
            "strengths:\n  low_contrast:\n    {low: 0.6, high: 0.5}\n",
            "line 2: strengths.low_contrast: low 0.6 is above high 0.5",
        ),
        (
            "strengths: {high_contrast: {high: 1.5}}\n",
            "strengths.high_contrast: low 1.8 (the paper's) is above high 1.5",
        ),
    ],
)
def test_wrong_config_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_config(path)
    assert message in str(caught.value)
    assert "c.yaml" in str(caught.value)


def test_overrides_are_laid_over_key_by_key() -> None:
    config = override(
        PRESETS["cars3d"], {"encoder": {"arch": "small"}, "epochs": 3}, lambda key, m: UserError(m)
    )
    assert config.encoder.arch == "small"
    assert config.encoder.weights == "imagenet"
    assert config.epochs == 3
    assert config.temperature == 0.2


def test_wrong_overrides_name_their_key() -> None:
    with pytest.raises(UserError, match=r"encoder\.code_dim: "):
        override(
            Config(),
            nested("encoder.code_dim", 1),
            lambda key, m: UserError(f"{'.'.join(map(str, key))}: {m}"),
        )


def test_dotted_keys_reach_nested_settings() -> None:
    assert nested("a.b.c", 1) == {"a": {"b": {"c": 1}}}
    assert setting(Config(), "batch.n_domains") == 4
    with pytest.raises(KeyError, match=r"encoder\.arc is not a setting of a config \(did you mean arch\?\)"):
        setting(Config(), "encoder.arc")
    with pytest.raises(KeyError, match=r"temperature\.x"):
        setting(Config(), "temperature.x")


def test_a_strength_is_the_given_one_or_the_papers() -> None:
    config = Config(strengths={"gaussian_blur": {"sigma": 2}, "high_contrast": {"low": 2.5}})
    assert setting(config, "strengths.gaussian_blur.sigma") == 2.0
    assert type(setting(config, "strengths.gaussian_blur.sigma")) is float
    assert setting(config, "strengths.high_contrast.low") == 2.5
    assert setting(config, "strengths.high_contrast.high") == 3.0
    assert setting(config, "strengths.affine.degrees") == 40.0
    for key, hint in {
        "strengths.blur.sigma": "gaussian_blur",
        "strengths.gaussian_blur.sgima": "sigma",
        "strength.gaussian_blur.sigma": "strengths",
    }.items():
        with pytest.raises(KeyError, match=rf"{key} is not a setting of a config \(did you mean {hint}\?\)"):
            setting(config, key)
    with pytest.raises(KeyError, match=r"strengths\.affine\.degrees\.x is not a setting"):
        setting(config, "strengths.affine.degrees.x")


def test_a_strength_is_overridden_by_its_dotted_key() -> None:
    def blurred(base: Config, sigma: float) -> Config:
        return override(
            base,
            nested("strengths.gaussian_blur.sigma", sigma),
            lambda key, message: UserError(f"{'.'.join(map(str, key))}: {message}"),
        )

    base = Config(strengths={"gaussian_blur": {"sigma": 2.0}, "crop": {"min_scale": 0.3}})
    assert blurred(base, 3).strengths == {"gaussian_blur": {"sigma": 3.0}, "crop": {"min_scale": 0.3}}
    assert blurred(Config(), 3) == Config(strengths={"gaussian_blur": {"sigma": 3.0}})
    assert Config().strengths == {}
    with pytest.raises(
        UserError, match=r"strengths\.gaussian_blur\.sigma: received 9; should be from 0\.1 to 5"
    ):
        blurred(base, 9)


@st.composite
def given_strengths(draw: st.DrawFn) -> dict[str, dict[str, float]]:
    """Allowed strengths: of each augmentation some, and of a range both ends."""
    strengths: dict[str, dict[str, float]] = {}
    for name in draw(st.sets(st.sampled_from(sorted(STRENGTHS)))):
        known = STRENGTHS[name]
        values = sorted(draw(st.floats(strength.low, strength.high)) for strength in known.values())
        strengths[name] = dict(zip(known, values, strict=True))
    return strengths


@given(strengths=given_strengths())
def test_strengths_survive_every_round_trip(strengths: Mapping[str, Any]) -> None:
    config = Config.model_validate({"strengths": strengths})
    assert config.strengths == strengths
    assert Config.model_validate(config.model_dump()) == config
    assert Config.model_validate_json(config.model_dump_json()) == config
    assert parse_yaml(dump_config(config), "config.yaml").validate(Config) == config
    for name, values in strengths.items():
        for key, value in values.items():
            assert setting(config, f"strengths.{name}.{key}") == value


@pytest.mark.parametrize("path", sorted((ROOT / "configs").rglob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configs_are_what_their_names_say(path: Path) -> None:
    config, provenance = read_config(path)
    assert (config.method, config.dataset, provenance) == (path.stem, path.parent.name, {})


def test_the_systems_of_cars3d_share_all_that_all_of_them_use() -> None:
    configs = [read_config(path)[0] for path in sorted((ROOT / "configs" / "cars3d").iterdir())]
    assert [config.method for config in configs] == sorted(get_args(MethodName))
    for shared in ("encoder", "batch", "threads", "seed", "precision"):
        assert len({repr(getattr(config, shared)) for config in configs}) == 1


def test_differences_name_the_keys() -> None:
    old = {"a": 1, "b": {"c": (1, 2), "d": 4}, "gone": None}
    new = {"a": 1, "b": {"c": (1, 3), "d": 4}, "e": {"f": 5}}
    assert differences(old, old) == []
    assert differences(old, new) == ["b.c: (1, 2) there, (1, 3) here", "e: None there, {'f': 5} here"]


def test_the_systems_of_cars3d_have_the_schedules_of_the_tables() -> None:
    configs = [read_config(path)[0] for path in (ROOT / "configs" / "cars3d").iterdir()]
    assert {config.method for config in configs if config.lr_schedule == "cosine"} == {"lord"}
    rates = {config.method: config.encoder_lr for config in configs}
    assert (rates["drnet"], rates["ml_vae"]) == (2e-3, 1e-3)
