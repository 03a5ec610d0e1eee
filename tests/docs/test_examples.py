"""The notebook of ``examples``: its code runs as it stands, and its stored outputs are whole."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tuning.store import place

NOTEBOOK = Path(__file__).parents[2] / "examples" / "search.ipynb"


def code_cells() -> list[dict[str, Any]]:
    return [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]


def outputs(begin: str) -> list[dict[str, Any]]:
    """Return the stored outputs of the cell whose code begins with a text."""
    (found,) = [cell["outputs"] for cell in code_cells() if "".join(cell["source"]).startswith(begin)]
    return list(found)


def test_every_cell_was_executed_in_order_and_none_failed() -> None:
    cells = code_cells()
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert not [out for cell in cells for out in cell["outputs"] if out["output_type"] == "error"]
    assert NOTEBOOK.stat().st_size < 300_000


def test_the_stored_outputs_are_one_block_of_progress_a_table_a_picture_and_a_reproduced_training() -> None:
    (block,) = outputs("found = run_search")
    shown = "".join(block["data"]["text/html"])
    assert "5/5" in shown
    assert "Configs of the front" in shown
    assert "<table" in "".join(outputs("trials =")[0]["data"]["text/html"])
    assert "image/png" in outputs("draw_trials")[0]["data"]
    assert "reproduced exactly: True" in "".join(outputs("config,")[0]["text"])


@pytest.mark.long
def test_the_code_runs(
    tmp_path: Path, tiny_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "small.h5").symlink_to(tiny_store)
    place(tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for cell in code_cells():
        lines = "".join(cell["source"]).splitlines()
        exec("\n".join(line for line in lines if not line.startswith("%")), names)
    assert "reproduced exactly: True" in capsys.readouterr().out
    assert len(names["trials"]) == 5
    assert names["found"].best_tradeoff().number in names["trials"].index
