"""A search's folder and its tracking URI: nothing there is executed, and no secret of the URI is written."""

import io
import os
import pickle
from pathlib import Path

import pytest
from rich.console import Console

from tests.planted import MakesFolder
from tuning.results.search import Search
from tuning.run import run_search
from tuning.space import load_space

pytestmark = pytest.mark.long

QUICK = Path(__file__).parents[2] / "search_spaces" / "quick.yaml"
SECRET = "hunter2"


class Finished:
    """A search of a trial, its MLflow database under a URI with a secret, and what it printed."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.storage, self.store = folder / "runs", store
        self.storage.mkdir()
        self.uri = f"sqlite:///file:{self.storage}/mlflow.db?uri=true&password={SECRET}"
        self.output = io.StringIO()

    def run(self, trials: int, resume: bool) -> Search:
        space = load_space(QUICK, data=str(self.store), search={"trials": trials})
        return run_search(
            space,
            storage=self.storage,
            tracking_uri=self.uri,
            resume=resume,
            console=Console(file=self.output, width=200),
        )


def test_a_search_keeps_its_secret_and_runs_nothing_that_lies_in_its_folder(
    one_ray: None, tmp_path: Path, tiny_store: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    search = Finished(tmp_path, tiny_store)
    folder = search.run(1, resume=False).folder
    trace = tmp_path / "executed"
    states = [path for path in (folder / "ray").rglob("*") if path.is_file()]
    assert states
    for path in [*states, folder / "ray" / "searcher-state.pkl", folder / "ray" / "tuner.pkl"]:
        path.write_bytes(pickle.dumps(MakesFolder(trace)))
    assert len(search.run(2, resume=True).trials()) == 2
    assert not trace.exists()

    written = [path for path in search.storage.rglob("*") if path.is_file()]
    assert {"mlflow.db", "ledger.log", "space.yaml", "config.yaml"} <= {path.name for path in written}
    for path in written:
        assert SECRET.encode() not in path.read_bytes(), path
        assert SECRET not in str(path)
    printed = search.output.getvalue() + "".join(capfd.readouterr())
    assert "password=***" in printed
    assert SECRET not in printed
    assert not any(SECRET in value for value in os.environ.values())
