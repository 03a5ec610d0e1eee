"""The settings of the paper's tables: DCoDR's from the supplement, the others' from their authors' codes."""

from typing import get_args

import pytest

from dcodr.config import PRESETS, differences
from dcodr.config.methods import MethodName
from dcodr.config.paper_settings import paper_config

METHODS = get_args(MethodName)

# Learning rates of encoder and generator, and the schedule; Cars3D.
OF_CODES = {
    "dcodr": (1e-4, 3e-4, "step"),
    "lord": (1e-4, 3e-4, "cosine"),
    "drnet": (2e-3, 2e-3, "step"),
    "ml_vae": (1e-3, 1e-3, "step"),
}


@pytest.mark.parametrize(("method", "expected"), OF_CODES.items())
def test_learning_rates_and_schedules(method: MethodName, expected: tuple[float, float, str]) -> None:
    config = paper_config(method, "cars3d")
    assert (config.encoder_lr, config.generator_lr, config.lr_schedule) == expected


def test_the_adversarial_weight_of_drnet_is_that_of_its_authors_code() -> None:
    assert paper_config("drnet", "smallnorb").drnet.adversarial_weight == 1e-4
    assert paper_config("dcodr", "smallnorb").drnet.adversarial_weight == 0.1  # its paper's, the default


@pytest.mark.parametrize("dataset", PRESETS)
@pytest.mark.parametrize("method", METHODS)
def test_all_else_is_the_preset_of_the_dataset(method: MethodName, dataset: str) -> None:
    config, preset = paper_config(method, dataset), PRESETS[dataset]
    assert (config.method, config.dataset) == (method, dataset)
    own = {"method", "dataset", "encoder_lr", "generator_lr", "embedding_lr", "lr_schedule", "drnet"}
    lines = differences(preset.model_dump(), config.model_dump())
    changed = {line.split(":")[0].split(".")[0] for line in lines}
    assert changed <= own
    if method in ("dcodr", "dcodr_norec", "simclr"):
        assert changed <= {"method", "dataset"}


def test_a_dataset_of_ones_own_has_the_papers_general_settings() -> None:
    config = paper_config("dcodr", "shoes")
    assert config == PRESETS["paper"].model_copy(update={"dataset": "shoes"})
