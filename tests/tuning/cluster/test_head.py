"""The loss of a cluster's head, as a search tells it."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from dcodr.errors import UserError
from tuning import run
from tuning.space import load_space

QUICK = Path(__file__).parents[3] / "search_spaces" / "quick.yaml"


def test_a_lost_head_is_told_with_what_is_lost_and_how_to_go_on(
    tmp_path: Path, tiny_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def on_a_cluster(address: str, verbose: bool, on_head: Callable[[bool], None]) -> Iterator[None]:
        assert address == "10.0.0.1:6379"
        on_head(False)
        on_head(True)
        yield

    def over(*_: object) -> None:
        raise UserError("over")

    monkeypatch.setattr(run, "ray_session", on_a_cluster)
    monkeypatch.setattr(run, "ready", over)
    said = io.StringIO()
    with pytest.raises(UserError, match="over"):
        run.run_search(
            load_space(QUICK, data=str(tiny_store)),
            name="night",
            storage=tmp_path,
            address="10.0.0.1:6379",
            console=Console(file=said, width=60),
        )
    lost, again = said.getvalue().splitlines()[-2:]
    assert lost == (
        "The head of the Ray cluster does not answer. Ray waits a minute for it and then ends this process. "
        "Nothing that was finished is lost: once the cluster is back, make the same call again with "
        "name='night', resume=True"
    )
    assert again == "The head of the Ray cluster answers again"
