"""Chart of the trials over time: when each ran, and beside which others."""

import heapq
from collections.abc import Sequence
from datetime import datetime

from dcodr.words import counted, duration
from tuning.ledger.trials import TrialRecord
from tuning.report.chart import Chart, Spec, axis, layout, number, plain
from tuning.results.results import Results

KINDS = {
    "complete": ("--blue", ""),
    "stopped early": ("--grey", ""),
    "running": ("--orange", ""),
    "cut off": ("--orange", "/"),
    "confirmation": ("--blue", "/"),
    "infeasible or failed": ("--ink", "x"),
}
"""Colour and pattern of each kind of bar."""


def timeline_chart(results: Results) -> Chart | None:
    """Draw a bar for each training, in as many rows as ran at the same time; ``None`` without any.

    The ledger does not record which worker trained a trial; rows are filled from the top. A running trial's
    bar ends at its last epoch.
    """
    trained = [t for t in results.records if t.began and t.status not in ("interrupted", "reused")]
    if not trained:
        return None
    trained.sort(key=lambda trial: trial.began)
    spans = [(trial.began, _end(trial)) for trial in trained]
    rows = lanes(spans)
    placed = list(zip(trained, spans, rows, strict=True))
    kinds = [_kind(trial, results.driven) for trial in trained]
    data = [
        _bars([one for one, its in zip(placed, kinds, strict=True) if its == kind], kind)
        for kind in KINDS
        if kind in kinds
    ]
    count = max(rows) + 1
    y = axis("concurrent trials", dtick=1, autorange="reversed", showgrid=False)
    frame = layout(axis("", type="date"), y, barmode="overlay", bargap=0.15)
    alt = (
        f"{counted(len(trained), 'training')}, up to {count} at the same time, in "
        f"{duration(max(end for _, end in spans) - spans[0][0])}."
    )
    return Chart("timeline", "Trials over time", alt, data, frame, 130 + 26 * max(count, 3))


def lanes(spans: Sequence[tuple[float, float]]) -> list[int]:
    """Return a row for each span of time, in the order of their beginnings: the first free of few rows."""
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    found, rows = [], 0
    for begin, end in spans:
        while busy and busy[0][0] <= begin:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            row = heapq.heappop(free)
        else:
            row, rows = rows, rows + 1
        heapq.heappush(busy, (end, row))
        found.append(row)
    return found


def _end(trial: TrialRecord) -> float:
    last = max((record.at for record in trial.epochs.values()), default=trial.began)
    return last if trial.status == "running" else trial.end


def _kind(trial: TrialRecord, driven: bool) -> str:
    if trial.status == "running":
        return "running" if driven else "cut off"
    if trial.status in ("infeasible", "failed"):
        return "infeasible or failed"
    if trial.confirms is not None:
        return "confirmation"
    return "complete" if trial.status == "complete" else "stopped early"


def _bars(placed: Sequence[tuple[TrialRecord, tuple[float, float], int]], kind: str) -> Spec:
    color, pattern = KINDS[kind]
    return {
        "type": "bar",
        "orientation": "h",
        "name": kind,
        "base": [datetime.fromtimestamp(begin).isoformat(timespec="seconds") for _, (begin, _), _ in placed],
        "x": [max(1000, round(1000 * (end - begin))) for _, (begin, end), _ in placed],
        "y": [row + 1 for _, _, row in placed],
        "customdata": [t.number if t.confirms is None else t.confirms for t, _, _ in placed],
        "text": [_text(trial, kind) for trial, _, _ in placed],
        "textposition": "none",
        "hoverinfo": "text",
        "marker": {"color": color, "pattern": {"shape": pattern}, "line": {"color": "--paper", "width": 1}},
    }


def _text(trial: TrialRecord, kind: str) -> str:
    what = (
        f"confirms trial {trial.confirms:03d} with seed {trial.seed}" if trial.confirms is not None else kind
    )
    seconds = max(0.0, _end(trial) - trial.began) if trial.status == "running" else trial.seconds
    epochs = counted(trial.epoch, "epoch")
    return f"<b>trial {number(trial)}</b>: {plain(what)}<br>{epochs} in {duration(seconds)}"
