"""The reference of a search, from which gains are measured, as far as it depends on the labels.

An error in pixels has no worst value of its own, and an accuracy is worthless at chance, not only at 0. Both
are measured from the best constant answer, as informativeness is, so that a code that knows nothing gains
nothing and adds no hypervolume.
"""

from dcodr.data.dataset import FactorDataset
from dcodr.errors import UserError
from dcodr.evaluation.constant import constant_figures
from tuning.space import Space


def with_constant_answers(space: Space, data: FactorDataset) -> Space:
    """Return a space with the constant answers from which some of its objectives are measured.

    These are a minimised ``error/<attribute>``, a maximised ``accuracy/<attribute>`` and a maximised
    ``domain_accuracy``. All others have a worst value whatever the labels: see
    :attr:`tuning.space.Space.reference`.

    Args:
        space: What is searched; its objectives are figures of the dataset.
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
