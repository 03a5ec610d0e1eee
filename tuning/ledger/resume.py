"""The check that a search may resume in a changed space."""

from collections.abc import Mapping
from typing import Any

from optuna.distributions import check_distribution_compatibility
from optuna.trial import FrozenTrial

from dcodr.config import differences
from dcodr.errors import UserError
from dcodr.words import option
from tuning.ledger.encoding import decode, flat, is_whole
from tuning.ledger.ledger import Ledger
from tuning.ledger.trials import PAPER
from tuning.space import Space
from tuning.space.settings import CHANGEABLE

_FIXED = ("base", "objectives", "search.informativeness_floor")
"""Parts of a space that decide how earlier trials were trained and judged."""


def require_same(ledger: Ledger, space: Space, *, allow_change: bool) -> None:
    """Refuse to resume in a space that differs in more than budgets and preference, or does not fit trials.

    Args:
        ledger: The ledger of the search.
        space: The new space.
        allow_change: Whether ranges, constraints on subsets and search settings may differ, if all earlier
            trials fit the new space. Base, objectives and floor may never differ, as metrics would not be
            comparable.

    Raises:
        UserError: If the search may not resume; the message lists the differences.
    """
    changed = differences(_compared(ledger.space), _compared(space))
    if not changed:
        return
    lines = "".join(f"\n  {line}" for line in changed)
    changing = option("allow-space-change", True)
    if not allow_change:
        raise UserError(
            f"{option('resume', True)}: the space differs from that of the search:{lines}\n{changing} "
            "resumes if every earlier trial fits the new space as well"
        )
    if fixed := [line for line in changed if line.startswith(_FIXED)]:
        lines = "".join(f"\n  {line}" for line in fixed)
        raise UserError(
            f"{changing}: these settings cannot change, as earlier metrics would not be comparable:"
            f"{lines}\n{_ADVICE}"
        )
    for trial in ledger.begun_trials():
        if reason := _misfit(trial, space):
            raise UserError(
                f"{changing}: trial {trial.number:03d} does not fit the new space: {reason}\n{_ADVICE}"
            )
    for first in ledger.first_trials():
        reason = None if first.origin == PAPER else space.reject_reason(first.values)
        if reason is not None:
            raise UserError(
                f"{changing}: the first trial of {first.origin}, which has not begun, does not fit the new "
                f"space: {reason}\n{_ADVICE}"
            )


_ADVICE = "Begin a new search instead; search.warm_start.searches can take over this one's front"


def _compared(space: Space) -> Mapping[str, Any]:
    spec = space.model_dump()
    del spec["name"], spec["text"], spec["constant_answers"]
    del spec["base"]["threads"], spec["base"]["device"]  # copies of the resources
    for key in CHANGEABLE:
        del spec["search"][key]
    return spec


def _misfit(trial: FrozenTrial, space: Space) -> str | None:
    """Return the reason why a trial, or its form in Optuna, does not fit a space; ``None`` if it fits."""
    params = space.params
    if not is_whole(params, trial.params):
        return "it lacks a parameter"
    known = flat(params)
    for name, value in trial.params.items():
        if name in known:
            try:
                check_distribution_compatibility(trial.distributions[name], known[name])
            except ValueError as error:
                return f"{name}: {error}"
        elif value is not False:
            return f"{name}: the trial has {value!r}, but the new space does not search it"
    return space.reject_reason(decode(params, trial.params))
