"""A saved view of MLflow's UI for the trials of a search: columns of objectives and settings, and charts.

MLflow keeps the views of an experiment's runs in its tags, each as JSON. Without a view the UI shows the
parent runs of searches alone, without metrics, and a chart for every metric.
"""

import base64
import json
import zlib
from typing import Any

from tuning.space import Space
from tuning.space.params import SubsetParam
from tuning.tracking.store import quoted

VIEW = "mlflow.sharedViewState."
"""Prefix of the tags of views; the view's id follows."""
MOST_SETTINGS = 50
"""Most settings that become columns and axes: MLflow limits the tag to 5000 characters."""
SECTION = "trials"
CURVE = {
    "xAxisKey": "step",
    "xAxisScaleType": "linear",
    "yAxisKey": "metric",
    "yAxisExpressions": [],
    "scaleType": "linear",
    "range": {},
}
"""Details of a chart of curves that the UI requires."""


def trials_view(name: str, run_id: str, space: Space, created: float) -> str:
    """Return the content of the tag with the view of a search's trials, best in the first objective first.

    They are the trials below the search's run: another search may have the same name.
    """
    (first, direction), *_ = space.objectives.items()
    tags = ("front", "rank", "status")
    state = {
        "searchFilter": f"tags.`mlflow.parentRunId` = {quoted(run_id)} and tags.trial LIKE '%'",
        "orderByKey": f"metrics.`{first}`",
        "orderByAsc": direction == "minimize",
        "selectedColumns": [
            *(f"metrics.`{objective}`" for objective in space.objectives),
            *(f"params.`{key}`" for key in [*space.params][:MOST_SETTINGS]),
            *(f"tags.`{tag}`" for tag in tags),
        ],
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": _charts(space),
        "compareRunSections": [
            {"uuid": SECTION, "name": "Trials", "display": True, "columns": 2, "isReordered": False}
        ],
        "isAccordionReordered": True,
    }
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    at = round(created * 1000)
    return json.dumps({"name": name, "createdAt": at, "updatedAt": at, "state": f"deflate;{packed}"})


def view_page(server: str, experiment_id: str, view: str) -> str:
    """Return the address of a view's charts."""
    query = f"viewStateShareKey={view}&compareRunsMode=CHART&workflowType=machine_learning"
    return f"{server}/#/experiments/{experiment_id}/runs?{query}"


def _charts(space: Space) -> list[dict[str, Any]]:
    """Return the charts: plane of the first two objectives, parallel coordinates, curves per objective."""
    objectives = list(space.objectives)
    axes = [key for key, param in space.params.items() if not isinstance(param, SubsetParam)][:MOST_SETTINGS]
    charts = []
    if len(objectives) > 1:
        x, y = ({"key": name, "type": "METRIC"} for name in objectives[:2])
        charts.append(_chart("plane", "SCATTER", xaxis=x, yaxis=y, runsCountToCompare=100))
    if axes:
        shown = {"selectedParams": axes, "selectedMetrics": objectives, "showAllRuns": True}
        charts.append(_chart("parallel", "PARALLEL", **shown))
    return charts + [_chart(f"curve {name}", "LINE", metricKey=name, **CURVE) for name in objectives]


def _chart(uuid: str, kind: str, **details: Any) -> dict[str, Any]:
    fixed = {"metricSectionId": SECTION, "deleted": False, "isGenerated": False}
    return {"uuid": uuid, "type": kind, **fixed, **details}
