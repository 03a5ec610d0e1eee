"""Whether a search may go on in a changed space."""

from collections.abc import Mapping
from typing import Any

from optuna.distributions import check_distribution_compatibility
from optuna.trial import FrozenTrial

from dcodr.config import differences
from dcodr.errors import UserError
from tuning.ledger.encoding import decode, distributions, is_whole, strengths
from tuning.ledger.ledger import Ledger
from tuning.space import Space
from tuning.space.settings import CHANGEABLE

_FIXED = ("base", "objectives", "search.informativeness_floor")
"""What earlier trials were trained with, and judged by."""


def require_same(ledger: Ledger, space: Space, *, allow_change: bool) -> None:
    """Refuse to go on in a space that differs by more than budgets and preference, or that trials do not fit.

    Args:
        ledger: The search.
        space: What it is to go on with.
        allow_change: Whether all may differ that earlier trials can be carried over to: ranges, constraints
            on subsets, and how to search. Base, objectives and floor may not: figures would not compare.

    Raises:
        UserError: If it may not go on; it says what differs.
    """
    changed = differences(_compared(ledger.space), _compared(space))
    if not changed:
        return
    lines = "".join(f"\n  {line}" for line in changed)
    if not allow_change:
        raise UserError(
            f"--resume: the space differs from that of the search:{lines}\n--allow-space-change goes on if "
            "every earlier trial is one of the new space as well"
        )
    if fixed := [line for line in changed if line.startswith(_FIXED)]:
        lines = "".join(f"\n  {line}" for line in fixed)
        raise UserError(f"--allow-space-change: earlier figures would not compare:{lines}\n{_ADVICE}")
    for trial in ledger.begun_trials():
        if reason := _misfit(trial, space):
            raise UserError(
                f"--allow-space-change: trial {trial.number:03d} is none of the new space: {reason}\n"
                f"{_ADVICE}"
            )


_ADVICE = "Begin a new search instead; search.warm_start.searches takes this one's front over"


def _compared(space: Space) -> Mapping[str, Any]:
    spec = space.model_dump()
    del spec["name"], spec["text"], spec["constant_answers"]
    for key in CHANGEABLE:
        del spec["search"][key]
    return spec


def _misfit(trial: FrozenTrial, space: Space) -> str | None:
    """Why a trial is none of a space, or Optuna would not see it as one."""
    params = space.params
    if not is_whole(params, trial.params):
        return "it lacks a parameter"
    known = distributions(params) | strengths(params)
    for name, value in trial.params.items():
        if name in known:
            try:
                check_distribution_compatibility(trial.distributions[name], known[name])
            except ValueError as error:
                return f"{name}: {error}"
        elif value is not False:
            return f"{name}: {value!r} was drawn, and is searched no more"
    return space.reject_reason(decode(params, trial.params))
