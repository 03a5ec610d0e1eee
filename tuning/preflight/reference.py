"""The references of a search that depend on the labels or come from outside; gains are measured from them.

An error in pixels has no worst value of its own, and an accuracy is worthless at chance, not only at 0. Both
are measured from the best constant answer, as informativeness is, and retrieval from random neighbours. So a
code (embedding) without information gains nothing and adds no hypervolume.
"""

from dcodr.data.dataset import FactorDataset
from dcodr.errors import UserError
from dcodr.evaluation.constant import uninformed_metrics
from dcodr.evaluation.outside import load_metric
from dcodr.plugins import is_outside
from tuning.pareto import Direction
from tuning.space import Space
from tuning.space.objectives import OF_NUMBERS


def with_constant_answers(space: Space, data: FactorDataset) -> Space:
    """Return a space with the references of some of its objectives.

    These objectives are the probes' metrics of the domain and of an attribute, retrieval, and metrics from
    outside. The worst values of all others do not depend on the labels, nor do those of objectives that lose
    information on purpose, e.g. a minimised accuracy: see :attr:`tuning.space.Space.reference`.

    Raises:
        UserError: If codes without information are already perfect, so there is nothing to gain, or a
            metric from outside is not allowed or has the other direction.
    """
    known = uninformed_metrics(data, "validation")
    answers = {}
    for name, direction in space.objectives.items():
        better: Direction = "minimize" if name.startswith(OF_NUMBERS) else "maximize"
        if is_outside(name):
            answers[name] = _declared(name, direction)
        elif name in known and direction == better:
            answers[name] = known[name]
            if known[name] == (0.0 if direction == "minimize" else 1.0):
                factor = name.partition("/")[2] or "the domain"
                raise UserError(
                    f"objectives.{name}: {factor} is the same in all validation images of "
                    f"{data.spec.name}, so there is nothing to gain: remove the objective"
                )
    return space.model_copy(update={"constant_answers": answers})


def _declared(name: str, direction: Direction) -> float:
    """Return the reference of a metric from outside."""
    metric = load_metric(name)
    if metric.direction != direction:
        raise UserError(
            f"objectives.{name}: received {direction}, but its package declares {metric.direction}"
        )
    return metric.reference
