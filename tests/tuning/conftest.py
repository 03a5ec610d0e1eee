"""Common fixtures of tests of searches: an MLflow store, and a bootstrap of few resamples."""

from collections.abc import Iterator

import pytest

from tests.tuning.store import Store
from tuning.analysis import importance


@pytest.fixture(autouse=True, scope="session")
def _few_resamples() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importance, "RESAMPLES", 8)
        yield


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """An MLflow store."""
    return Store(tmp_path_factory.mktemp("tracking"))
