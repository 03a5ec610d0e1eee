"""One page for all tests that look at a whole one: its analysis takes seconds."""

import pytest

from tests.tuning.report.searches import hostile
from tuning.analysis import attribution, regression
from tuning.report.page import render


@pytest.fixture(scope="session")
def evil_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a search whose names, metrics, reasons and space file are markup."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attribution, "DRAWS", 50)
        patch.setattr(regression, "WARM_UP", 10)
        return render(hostile(tmp_path_factory.mktemp("evil")).results())
