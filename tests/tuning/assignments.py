"""Assignments of trials, for tests that care about few of their fields."""

from typing import Any

from tuning.driver.protocol import Assignment

ANY = {
    "config": "{}",
    "checkpoint": "000.pt",
    "kept": "kept",
    "gpus": 0.0,
    "floor": None,
    "floor_from": 1,
    "baseline": False,
}


def assignment(number: int = 0, **fields: Any) -> dict[str, Any]:
    """Return the config of a Tune trial."""
    return Assignment(**{**ANY, "number": number, **fields}).to_dict()
