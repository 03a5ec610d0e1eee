"""The resources of a trial."""

from typing import Any

import pytest

from tuning.space.settings import Resources


@pytest.mark.parametrize(
    ("resources", "cpus", "gpus", "expected"),
    [
        ({}, 2, 0, 2),
        ({"cpus_per_trial": 2}, 5, 0, 2),
        ({"cpus_per_trial": 4}, 2, 0, 0),
        ({"max_concurrent": 3}, 8, 0, 3),
        ({"max_concurrent": 9}, 8, 0, 8),
        ({"gpus_per_trial": 1.0}, 16, 2, 2),
        ({"gpus_per_trial": 0.5}, 16, 3, 6),
        ({"gpus_per_trial": 0.3}, 16, 2, 6),
        ({"gpus_per_trial": 0.5}, 1, 3, 1),
        ({"gpus_per_trial": 0.5}, 16, 0, 0),
    ],
)
def test_trials_share_cpus_and_gpus(
    resources: dict[str, Any], cpus: float, gpus: float, expected: int
) -> None:
    assert Resources.model_validate(resources).concurrent(cpus, gpus) == expected
