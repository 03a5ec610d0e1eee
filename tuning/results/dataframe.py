"""The trials of a search as a table of pandas."""

import html
from typing import TYPE_CHECKING, Any

from tuning.results.results import Results

if TYPE_CHECKING:
    import pandas as pd


def front_html(results: Results) -> str:
    """Return one sentence and the table of the front, and the paper's settings, as HTML for a notebook."""
    said = f"<p>{html.escape(str(results))}</p>"
    if not (compared := results.compared):
        return said
    table, shown = dataframe(results), [trial for trial, _ in compared]
    wanted = {*results.space.objectives, *(key for trial in shown for key in trial.values)}
    columns = [name for name in table if name in wanted]
    rows = table.loc[[trial.number for trial in shown], columns]
    marks = [
        {"★": trial == results.best_tradeoff, "paper": trial.paper, "off the front": not on_front}
        for trial, on_front in compared
    ]
    rows.insert(0, "", [", ".join(mark for mark, true in of.items() if true) for of in marks])
    front = rows.to_html(na_rep="-", float_format="{:.3g}".format)
    legend = html.escape(f"★: best trade-off; paper: {results.space.baseline}")
    return f"{said}\n{front}\n<p>{legend}</p>"


def dataframe(results: Results) -> "pd.DataFrame":
    """Return one row for each trial that was begun, confirmations excluded, by number.

    The columns, in this order:

    * ``status``, ``reason``, ``origin`` (``paper`` for the paper's settings) and ``seed``;
    * ``on_front`` and ``best_tradeoff``, true or false;
    * ``confirmations``: number of complete trainings with other seeds, 0 until all have ended;
    * ``epochs``, ``seconds`` and ``began``;
    * every searched setting, by dotted key; a subset as one text, e.g. ``crop+gaussian_blur``;
    * the objectives, in the means of the confirmations of a confirmed trial, as the front is chosen by them;
    * every other metric of the validation images, at the trial's last evaluation;
    * ``test/NAME``: metrics of the test images, of the trials that were measured on them.

    A setting that the trial's method does not use, and a metric that was not measured, is NaN.
    """
    import pandas as pd  # takes half a second

    front = {trial.number for trial in results.front}
    best = results.best_tradeoff.number if front else None
    confirmed = {one.trial.number: len(results.trainings(one.trial)) for one in results.confirmed}
    about: list[dict[str, Any]] = []
    settings: list[dict[str, object]] = []
    measured: list[dict[str, float]] = []
    for trial in results.trials:
        about.append(
            {
                "status": trial.status,
                "reason": trial.reason,
                "origin": trial.origin,
                "seed": trial.seed,
                "on_front": trial.number in front,
                "best_tradeoff": trial.number == best,
                "confirmations": confirmed.get(trial.number, 0),
                "epochs": trial.epoch,
                "seconds": trial.seconds,
                "began": pd.Timestamp(trial.began, unit="s", tz="UTC"),
            }
        )
        settings.append(trial.readable)
        reached = results.objectives(trial) if trial.status == "complete" else {}
        metrics = trial.metrics | reached
        objectives = {name: metrics[name] for name in results.space.objectives if name in metrics}
        tested = {f"test/{name}": value for name, value in trial.test.items()}
        measured.append(objectives | metrics | tested)
    numbers = pd.Index([trial.number for trial in results.trials], name="trial", dtype="int64")
    parts = [pd.DataFrame(part, index=numbers) for part in (about, settings, measured)]
    return pd.concat(parts, axis="columns")
