"""Configs: the paper's presets, round trips, overrides and conflicts."""

from pathlib import Path

import pytest

from dcodr.config import PRESETS, Config, dump_config, nested, override, read_config, setting
from dcodr.errors import UserError

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
    assert config.epochs == 200
    assert (config.batch.n_domains, config.batch.n_per_domain) == (4, 32)
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
        ("provenance: 3\n", "line 1: provenance: received 3"),
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
    with pytest.raises(KeyError, match=r"encoder\.arc is no setting of a config \(did you mean arch\?\)"):
        setting(Config(), "encoder.arc")
    with pytest.raises(KeyError, match=r"temperature\.x"):
        setting(Config(), "temperature.x")
