"""A saved view of MLflow's UI for the trials of a search: what matters as columns, the front as a chart.

MLflow keeps the views of an experiment's runs in its tags, a JSON each. Without one the UI shows the parent
runs of searches alone, with no figures, and a chart for each figure there is.
"""

import base64
import json
import zlib
from typing import Any

from tuning.space import Space
from tuning.space.params import SubsetParam
from tuning.tracking.store import quoted

VIEW = "mlflow.sharedViewState."
"""How the tags of views begin; the view's id follows."""
MOST_SETTINGS = 50
"""Settings that are columns and axes at most: what the tag holds is limited to 5000 characters."""
SECTION = "trials"
CURVE = {
    "xAxisKey": "step",
    "xAxisScaleType": "linear",
    "yAxisKey": "metric",
    "yAxisExpressions": [],
    "scaleType": "linear",
    "range": {},
}
"""What the UI wants to know of a chart of curves."""


def trials_view(name: str, space: Space, created: float) -> str:
    """The view of a search's trials, best in the first objective first.

    Args:
        name: The search's name, by which the UI's menu "Views" lists the view.
        space: What is searched: its settings and objectives become columns and axes.
        created: Seconds since 1970.

    Returns:
        What the tag of the view holds.
    """
    (first, direction), *_ = space.objectives.items()
    tags = ("front", "rank", "status")
    state = {
        "searchFilter": f"tags.search = {quoted(name)} and tags.trial LIKE '%'",
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
    """The address of a view's charts."""
    query = f"viewStateShareKey={view}&compareRunsMode=CHART&workflowType=machine_learning"
    return f"{server}/#/experiments/{experiment_id}/runs?{query}"


def _charts(space: Space) -> list[dict[str, Any]]:
    """The plane of the first two objectives, parallel coordinates, and the curves of each objective."""
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
