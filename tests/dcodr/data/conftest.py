"""Common fixture of tests of data: a store of chairs."""

from pathlib import Path

import pytest

from dcodr.data.store import write_store
from tests.dcodr.data.chairs import content


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "chairs.h5"
    write_store(path, **content())
    return path
