"""An MLflow store on a real database: to make one takes seconds, so that all are copies of one."""

import contextlib
import io
import tempfile
from functools import cache
from pathlib import Path
from uuid import uuid4

from mlflow import MlflowClient
from mlflow.entities import Run

from tuning.tracking.tracker import EpochMetrics, Tracker


@cache
def fresh() -> tuple[bytes, str]:
    """Return the content of a database in which nothing was written, and what was printed as it was made."""
    terminal = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "deep" / "down" / "mlflow.db"
        with contextlib.redirect_stdout(terminal), contextlib.redirect_stderr(terminal):
            Tracker(f"sqlite:///{file}")
        return file.read_bytes(), terminal.getvalue()


def place(folder: Path) -> Path:
    """Return a fresh database in a folder, which is made, under the name that a search looks for."""
    folder.mkdir(parents=True)
    file = folder / "mlflow.db"
    file.write_bytes(fresh()[0])
    return file


class Store:
    """A database and a folder of artifacts.

    Attributes:
        uri: Its tracking URI.
        artifacts: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.uri = f"sqlite:///{place(folder / 'store')}"
        self.artifacts = folder / "artifacts"
        self.client = MlflowClient(self.uri)

    def begin(self, name: str, **tags: str) -> Tracker:
        """Return a tracker with a new search."""
        tracker = Tracker(self.uri)
        artifacts = self.artifacts.as_uri()
        tags = tags or {"search": uuid4().hex}
        identity = uuid4().hex
        tracker.start_search(identity, name, tags, {"trials": 2}, experiment="tests", artifact_root=artifacts)
        return tracker

    def children(self, parent: str, condition: str = "") -> list[Run]:
        """Return the runs of a search's trials."""
        experiment = self.client.get_run(parent).info.experiment_id
        query = f"tags.\"mlflow.parentRunId\" = '{parent}'{condition}"
        return list(self.client.search_runs([experiment], query))

    def points(self, run_id: str, figure: str) -> list[tuple[int, float]]:
        """Step and value of all that was written of a figure."""
        return [(point.step, point.value) for point in self.client.get_metric_history(run_id, figure)]

    def artifact(self, run_id: str, name: str) -> str:
        """Return the text of an artifact."""
        folder = str(self.client.get_run(run_id).info.artifact_uri).removeprefix("file://")
        return (Path(folder) / name).read_text()


def metrics(epoch: int, **values: float) -> list[EpochMetrics]:
    """Metrics of one epoch."""
    return [EpochMetrics(epoch, 1000.0 + epoch, values)]
