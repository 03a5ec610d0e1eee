"""Outcomes of a trial."""

from typing import Literal

Outcome = Literal["complete", "pruned", "infeasible", "failed"]
"""``complete`` trained to its last epoch; ``pruned`` was stopped early; ``infeasible`` has a collapsed code;
``failed`` has no metrics. Only complete trials can be on the front."""
