"""How a trial ends."""

from typing import Literal

Outcome = Literal["complete", "pruned", "infeasible", "failed"]
"""``complete`` trained to its last epoch; ``pruned`` was stopped before; ``infeasible`` has a collapsed code;
``failed`` has no figures. Only complete trials can be on the front."""
