"""The part of a search's reference that depends on the labels; gains are measured from the reference.

An error in pixels has no worst value of its own, and an accuracy is worthless at chance, not only at 0. Both
are measured from the best constant answer, as informativeness is. So a code (embedding) without information
gains nothing and adds no hypervolume.
"""

from dcodr.data.dataset import FactorDataset
from dcodr.errors import UserError
from dcodr.evaluation.constant import constant_figures
from tuning.space import Space


def with_constant_answers(space: Space, data: FactorDataset) -> Space:
    """Return a space with the constant answers from which some of its objectives are measured.

    These objectives are a minimised ``error/<attribute>``, a maximised ``accuracy/<attribute>`` and a
    maximised ``domain_accuracy``. The worst values of all others do not depend on the labels: see
    :attr:`tuning.space.Space.reference`.

    Args:
        space: The search space; its objectives are metrics of the dataset.
        data: The dataset.

    Raises:
        UserError: If the constant answer is already perfect, so that there is nothing to gain.
    """
    known = constant_figures(data, "validation")
    answers = {}
    for name, direction in space.objectives.items():
        kind, _, attribute = name.partition("/")
        if (kind, direction) == ("error", "minimize"):
            answers[name] = known[f"error_of_median/{attribute}"]
        elif (kind, direction) == ("accuracy", "maximize"):
            answers[name] = known[f"chance/{attribute}"]
        elif (name, direction) == ("domain_accuracy", "maximize"):
            answers[name] = known["chance/domain"]
        if answers.get(name) == (0.0 if direction == "minimize" else 1.0):
            raise UserError(
                f"objectives.{name}: {attribute or 'the domain'} is the same in all validation images of "
                f"{data.spec.name}, so that there is nothing to gain: remove the objective"
            )
    return space.model_copy(update={"constant_answers": answers})
