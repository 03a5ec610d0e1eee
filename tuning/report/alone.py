"""Searches that compare single augmentations."""

from rich import box
from rich.console import Console
from rich.table import Table

from tuning.results.search import Search
from tuning.space import Space
from tuning.space.params import SubsetParam


def subset_alone(space: Space) -> str | None:
    """Return the key of the subset, if a space searches nothing else and its sets have one member.

    The paper's study of single augmentations (supplement, section 1.2) is such a space. Sets of one member
    have no effects and no interactions, only a ranking.

    Returns:
        The key; ``None`` for any other space.
    """
    (key, param), *more = space.params.items()
    alone = not more and isinstance(param, SubsetParam) and param.largest == 1 and not param.strengths
    return key if alone else None


def print_alone(search: Search, subset: str, console: Console) -> None:
    """Print the members of the subset with their objectives, best in the first objective first.

    Raises:
        UserError: If no trial is complete.
    """
    front = {trial.number for trial in search.require_front()}
    objectives = search.space.objectives
    trials = [trial for trial in search.trials() if trial.status == "complete"]
    first, direction = next(iter(objectives.items()))
    trials.sort(key=lambda trial: search.objectives(trial)[first], reverse=direction == "maximize")
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for i, title in enumerate(("augmentation", *objectives, "front")):
        table.add_column(title, justify="right" if 0 < i <= len(objectives) else "left", no_wrap=True)
    for trial in trials:
        figures = [f"{figure:.3f}" for figure in search.objectives(trial).values()]
        table.add_row(*trial.values[subset], *figures, "yes" if trial.number in front else "")
    console.print(table)
    console.print(
        "Each augmentation alone: sets of one member show neither effects nor interactions.",
        markup=False,
        highlight=False,
    )
