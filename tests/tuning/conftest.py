"""What tests of MLflow share."""

import pytest

from tests.tuning.store import Store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """An MLflow store."""
    return Store(tmp_path_factory.mktemp("tracking"))
