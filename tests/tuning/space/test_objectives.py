"""Objectives: every metric of a report has a reference that codes with information exceed."""

import pytest
import torch
from torch import nn

from dcodr.data.dataset import FactorDataset
from dcodr.errors import UserError
from dcodr.training.trained import evaluate
from tests.tuning.sampling.spaces import space_of
from tuning.pareto import Direction, hypervolume
from tuning.preflight.reference import with_constant_answers
from tuning.space import Space
from tuning.space.objectives import CONSTANT, OF_NUMBERS, perfect, worst, wrong_objectives
from tuning.space.params import FloatParam, IntParam


def space(objectives: dict[str, Direction]) -> Space:
    made = space_of({"temperature": FloatParam(type="float", low=0.1, high=1.0)}, {"invariance": "maximize"})
    return made.model_copy(update={"objectives": objectives})


class Grid(nn.Module):
    """Encodes an image as a coarse copy: informative of everything."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.adaptive_avg_pool2d(images, 4).flatten(1) - 0.5


def test_every_measured_metric_that_differs_can_be_an_objective(few: FactorDataset) -> None:
    metrics = evaluate(Grid(), few, "validation", probe="fast", device="cpu").metrics
    for name in metrics:
        wrong = list(wrong_objectives([name], []))
        assert bool(wrong) == name.startswith(CONSTANT), name


def test_a_code_with_information_has_a_hypervolume_in_every_objective(tiny: FactorDataset) -> None:
    metrics = evaluate(Grid(), tiny, "validation", probe="fast", device="cpu").metrics
    objectives: dict[str, Direction] = {
        name: "minimize" if name.startswith(OF_NUMBERS) else "maximize"
        for name in metrics
        if not name.startswith(CONSTANT) and name != "invariance"
    }
    referenced = with_constant_answers(space(objectives), tiny)
    for (name, direction), reference in zip(objectives.items(), referenced.reference, strict=True):
        if name in ("code_variance", "effective_rank", "informativeness", "retrieval_top1/floor_hue"):
            assert hypervolume([[metrics[name]]], [reference], [direction]) > 0, name
        # Neighbours match by chance too, so that a reference of 0 would count luck as a gain.
        assert 0 < reference < 1 or not (name.startswith("retrieval_") and "floor_hue" in name), name


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize(
    "name",
    ["invariance", "accuracy/pose", "error/x", "effective_rank", "code_variance", "retrieval_top1/all"],
)
def test_the_best_is_better_than_the_worst(name: str, direction: Direction) -> None:
    best, reference = perfect(name, direction), worst(name, direction, code_dim=16)
    assert best > reference if direction == "maximize" else best < reference


def test_a_minimised_rank_is_measured_from_the_widest_code() -> None:
    made = space({"effective_rank": "minimize"})
    assert made.reference == [float(made.base.encoder.code_dim)]
    wide = made.model_copy(update={"params": {"encoder.code_dim": IntParam(type="int", low=8, high=999)}})
    assert wide.reference == [999.0]


@pytest.mark.usefixtures("mypackage")
def test_a_metric_from_outside_brings_its_reference(few: FactorDataset) -> None:
    made = with_constant_answers(space({"mypackage.metrics:offset": "minimize"}), few)
    assert made.reference == [1.0]
    assert made.perfect == [-float("inf")]
    with pytest.raises(UserError, match="offset: received maximize, but its package declares minimize"):
        with_constant_answers(space({"mypackage.metrics:offset": "maximize"}), few)
    with pytest.raises(UserError, match="stranger:metric is code of the package stranger"):
        with_constant_answers(space({"stranger:metric": "maximize"}), few)
