"""The costliest configuration of a space, and how it is timed."""

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dcodr.config import Config, EncoderConfig
from dcodr.config.parts import ARCHS, METHODS
from dcodr.data.dataset import FactorDataset, Split
from dcodr.errors import UserError
from dcodr.models.encoder import Encoder
from dcodr.models.generator import Generator
from dcodr.models.perceptual import DEFAULT_LAYERS, backbone_features
from tests.tuning.preflight.parts import brief, refusing
from tuning.preflight import rehearsal
from tuning.preflight.rehearsal import RANKED, cost_depends, largest, measure, rehearse, thinned
from tuning.space import Space, load_space

SPACE: dict[str, Any] = {
    "base": {"preset": "synthetic", "overrides": {"encoder": {"weights": None}}},
    "params": {"temperature": {"type": "float", "low": 0.05, "high": 0.5}},
    "search": {"warm_start": {"paper": False}},
}


def space(folder: Path, **params: Any) -> Space:
    file = folder / "space.yaml"
    file.write_text(json.dumps(SPACE | {"params": params}))
    return load_space(file)


def choices(*options: object) -> dict[str, object]:
    return {"type": "categorical", "choices": list(options)}


@pytest.mark.parametrize("key", RANKED)
def test_every_choice_of_a_setting_has_its_rank(key: str) -> None:
    ours: dict[str, tuple[str, ...]] = {"method": METHODS, "encoder.arch": ARCHS}
    *parts, name = key.split(".")
    model: Any = Config
    for part in parts:
        model = model.model_fields[part].annotation
    assert set(RANKED[key]) == set(ours.get(key) or get_args(model.model_fields[name].annotation))


def flops(network: torch.nn.Module, *inputs: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*inputs)
    return int(counter.get_total_flops())


IMAGES = torch.zeros(2, 3, 64, 64)


def test_architectures_rank_by_their_operations() -> None:
    counted = [flops(Encoder(arch, 16), IMAGES) for arch in RANKED["encoder.arch"]]
    assert counted == sorted(counted)


def test_backbones_rank_by_their_operations() -> None:
    names = RANKED["perceptual.backbone"][1:]
    counted = [flops(backbone_features(name, max(DEFAULT_LAYERS[name])), IMAGES) for name in names]  # type: ignore[index, arg-type]
    assert counted == sorted(counted)


def test_a_wider_generator_has_more_operations() -> None:
    codes, domain = torch.zeros(2, 8), torch.zeros(2, dtype=torch.int64)
    counted = [flops(Generator(8, 4, 8, channels), codes, domain) for channels in (8, 16, 32)]
    assert counted == sorted(counted)


def test_the_largest_has_the_costliest_of_every_setting(tmp_path: Path) -> None:
    searched = space(
        tmp_path,
        **{
            "method": choices("dcodr", "dcodr_norec"),
            "encoder.arch": choices("small", "resnet50", "resnet18"),
            "encoder.head": choices(True, False),
            "generator.channels": choices(64, 8, 32),
            "encoder.code_dim": {"type": "int", "low": 8, "high": 64},
            "batch.n_per_domain": {"type": "int", "low": 8, "high": 32, "step": 8},
            "temperature": {"type": "float", "low": 0.05, "high": 0.5},
        },
    )
    assert largest(searched) == {
        "method": "dcodr",
        "encoder.arch": "resnet50",
        "encoder.head": True,
        "generator.channels": 64,
        "encoder.code_dim": 64,
        "batch.n_per_domain": 32,
        "temperature": 0.1,
    }
    assert cost_depends(searched)


def test_the_largest_has_the_settings_of_the_costliest_method(tmp_path: Path) -> None:
    searched = space(
        tmp_path,
        **{
            "method": choices("dcodr", "drnet", "lord"),
            "temperature": {"type": "float", "low": 0.05, "high": 0.5},
            "generator.channels": choices(8, 256),
            "drnet.adversarial_weight": {"type": "float", "low": 0.01, "high": 1.0},
        },
    )
    assert largest(searched) == {
        "method": "drnet",
        "generator.channels": 256,
        "drnet.adversarial_weight": 0.1,
    }


def test_where_cost_does_not_depend_the_largest_is_the_papers(tmp_path: Path) -> None:
    searched = space(tmp_path, temperature={"type": "float", "low": 0.05, "high": 0.5})
    assert largest(searched) == searched.paper_values()
    assert not cost_depends(searched)


def test_the_largest_is_in_a_space_that_the_papers_settings_are_not_in(tmp_path: Path) -> None:
    searched = space(
        tmp_path,
        temperature={"type": "float", "low": 0.3, "high": 0.5},
        augmentations={"type": "subset", "members": ["affine", "random_erase", "crop"], "min_size": 2},
    )
    assert searched.reject_reason(searched.paper_values()) is not None
    assert searched.reject_reason(largest(searched)) is None


@pytest.mark.parametrize("every", [1, 2, 8, 1000])
def test_a_thinned_dataset_has_its_share_of_the_images(tiny: FactorDataset, every: int) -> None:
    thin = thinned(tiny, every)
    splits: tuple[Split, ...] = ("train", "validation")
    for split in splits:
        whole, kept = tiny.indices(split), thin.indices(split)
        assert set(kept) <= set(whole)
        step = min(every, len(whole) // 2)
        assert len(kept) == -(-len(whole) // step) >= 2
    assert np.array_equal(thin.domain, tiny.domain)


@pytest.mark.long
def test_a_rehearsal_measures_and_changes_nothing_here(
    tiny_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "measure", brief)
    threads, random = torch.get_num_threads(), torch.get_rng_state()
    config = tiny_config.model_copy(update={"threads": 2})
    timing = rehearse(config, 2)
    assert timing.steps == 4  # 128 training images in batches of 4 x 8
    assert timing.timed >= 2
    assert 1e-4 < timing.step < 60
    assert 1e-3 < timing.evaluation < 600
    assert 50 * 2**20 < timing.memory < 8 * 2**30
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), random)


def test_a_rehearsal_passes_on_what_is_wrong(tiny_config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "measure", refusing)
    with pytest.raises(UserError, match=r"cannot train .* on 0\.5 GPUs"):
        rehearse(tiny_config, 1, 0.5)


def test_a_larger_network_is_measured_as_slower(
    short_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "STEP_SECONDS", 0.1)
    monkeypatch.setattr(rehearsal, "EVALUATION_SECONDS", 0.1)
    small = short_config.model_copy(update={"method": "dcodr_norec"})
    large = small.model_copy(update={"encoder": EncoderConfig(arch="resnet18", code_dim=16)})
    seconds = [measure(config.model_dump_json(), 0).step for config in (small, large)]
    assert seconds[1] > 2 * seconds[0]
