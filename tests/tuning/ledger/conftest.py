"""Common fixtures of tests of the ledger: two spaces, and a ledger on disk."""

from pathlib import Path

import pytest

from tests.tuning.ledger.ledgers import FOUR_SETS, SPACE, load
from tuning.ledger.ledger import Ledger
from tuning.ledger.trials import FirstTrial
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return load(tmp_path, SPACE)


@pytest.fixture
def ledger(tmp_path: Path, space: Space) -> Ledger:
    first = [FirstTrial(space.paper_values(), "paper")]
    made = Ledger.create(tmp_path / "ledger.log", space, {"fingerprint": "f"}, first)
    made.ready(SpaceSampler)
    return made


@pytest.fixture
def four(tmp_path: Path) -> Space:
    return load(tmp_path, FOUR_SETS)
