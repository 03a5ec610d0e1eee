"""The content of a saved view; tests/tuning/tracking/test_ui.py shows it in MLflow's UI."""

import base64
import json
import zlib
from pathlib import Path
from typing import Any

from mlflow.utils.validation import MAX_EXPERIMENT_TAG_VAL_LENGTH

from tests.tuning.report.searches import space_text
from tuning.space import load_space
from tuning.tracking.view import trials_view, view_page


def state(folder: Path, objectives: dict[str, str], params: str, name: str = "augs") -> dict[str, Any]:
    """Return the state of the view of a space, which the UI would unpack."""
    (folder / "s.yaml").write_text(space_text(objectives, params, paper=False))
    held = trials_view(name, "a1", load_space(folder / "s.yaml"), 2.5)
    assert len(held) < MAX_EXPERIMENT_TAG_VAL_LENGTH
    view = json.loads(held)
    assert (view["name"], view["createdAt"]) == (name, 2500)
    packed = view["state"].removeprefix("deflate;")
    return dict(json.loads(zlib.decompress(base64.b64decode(packed))))


def test_the_best_in_the_first_objective_is_first(tmp_path: Path) -> None:
    found = state(
        tmp_path, {"domain_accuracy": "minimize"}, "\n  temperature: {type: float, low: 1, high: 2}\n"
    )
    assert (found["orderByKey"], found["orderByAsc"]) == ("metrics.`domain_accuracy`", True)
    assert [chart["type"] for chart in found["compareRunCharts"]] == ["PARALLEL", "LINE"]


def test_a_set_alone_has_no_axis_but_a_column(tmp_path: Path) -> None:
    params = "\n  augmentations: {type: subset, members: [crop, affine]}\n"
    found = state(tmp_path, {"invariance": "maximize", "informativeness": "maximize"}, params, "it's")
    assert [chart["type"] for chart in found["compareRunCharts"]] == ["SCATTER", "LINE", "LINE"]
    assert "params.`augmentations`" in found["selectedColumns"]
    assert found["searchFilter"].startswith("tags.`mlflow.parentRunId` = 'a1' and ")


def test_the_address_leads_to_the_view() -> None:
    assert view_page("http://h", "3", "abc").startswith(
        "http://h/#/experiments/3/runs?viewStateShareKey=abc&"
    )
