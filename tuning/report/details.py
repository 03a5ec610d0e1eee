"""Details of one trial, which the page opens beside its charts."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dcodr.config import dump_config
from dcodr.html import data_uri, page_template
from tuning.ledger.trials import TrialRecord, kept_of
from tuning.report.chart import chance, figure, number, raw_metrics
from tuning.report.curves import measured
from tuning.report.text_table import TextTable
from tuning.report.trials_table import outcome
from tuning.results.results import Results
from tuning.space.words import value_text

PICTURES = {
    "retrieval": "Queries and their nearest neighbours by code (embedding)",
    "reconstruction": "Images, their reconstructions, and reconstructions in other domains",
}
"""Captions of a trial's pictures, by their file names."""


@dataclass(frozen=True)
class Picture:
    """A picture of a trial.

    Attributes:
        place: The id of its element among the pictures of the front.
        title: The trial and the kind of the picture.
        caption: The content of the picture.
        address: Its address; ``None`` to take it from the element of that id.
    """

    place: str
    title: str
    caption: str
    address: str | None


def embedded(results: Results, trial: TrialRecord, kind: str) -> str:
    """Return the address of a trial's picture in a page that stands alone: the picture itself."""
    return data_uri("image/png", picture_file(results, trial.number, kind).read_bytes())


def served(results: Results, trial: TrialRecord, kind: str) -> str:
    """Return the address of a trial's picture in a live page."""
    return f"trials/{number(trial)}/{kind}.png"


def shown_already(results: Results, trial: TrialRecord, kind: str) -> None:
    """Return no address for a picture that the page already shows among those of the front."""


Address = Callable[[Results, TrialRecord, str], str | None]
"""Returns the address of a trial's picture: :func:`embedded`, :func:`served` or :func:`shown_already`."""


def pictures(results: Results, trial: TrialRecord, address: Address) -> list[Picture]:
    """Return the existing pictures of a trial."""
    return [
        Picture(
            f"picture-{number(trial)}-{kind}",
            f"Trial {number(trial)}: {kind}",
            f"{caption}, trial {number(trial)}",
            address(results, trial, kind),
        )
        for kind, caption in PICTURES.items()
        if picture_file(results, trial.number, kind).is_file()
    ]


def picture_file(results: Results, trial: int, kind: str) -> Path:
    """Return the file of a trial's picture of one of the kinds ``PICTURES``; it may be missing."""
    return kept_of(results.folder, trial) / f"{kind}.png"


def details(results: Results, trial: TrialRecord, address: Address | None) -> str:
    """Return the details of a trial as HTML; without addresses of pictures name their folder."""
    found = pictures(results, trial, address or shown_already)
    config = results.space.config(trial.values).model_copy(update={"seed": trial.seed})
    return page_template("tuning.report", "trial.html").render(
        outcome=outcome(results, trial),
        reason=trial.reason,
        metrics=_metrics(results, trial),
        confirmed=_confirmed(results, trial),
        settings=[(key.removeprefix("strengths."), value_text(v)) for key, v in trial.values.items()],
        pictures=found if address else [],
        elsewhere=str(kept_of(results.folder, trial.number)) if found and address is None else None,
        config=dump_config(config),
        commands=_commands(results, trial),
    )


def curves(results: Results) -> dict[int, dict[str, list[list[float]]]]:
    """Return the learning curves of all trials, by number: for each objective its epochs and values."""
    names = list(results.space.objectives)
    return {
        trial.number: {
            "epochs": [[*measured(trial, name)[0]] for name in names],
            "values": [[round(value, 5) for value in measured(trial, name)[1]] for name in names],
        }
        for trial in results.trials
        if trial.metrics
    }


def _metrics(results: Results, trial: TrialRecord) -> TextTable | None:
    """Return the metrics of the objectives, the raw metrics behind them, their intervals and chances."""
    if not trial.metrics:
        return None
    rows = []
    for name in dict.fromkeys([*results.space.objectives, *raw_metrics(trial)]):
        if name in trial.metrics:
            level = chance(trial, name)
            beside = "-" if level is None else figure(level)
            rows.append((name, figure(trial.metrics[name]), _interval(trial, name), beside))
    caption = f"On validation images, after epoch {max(trial.evaluated)}"
    return TextTable(caption, ("metric", "value", "95 % interval", "chance"), rows)


def _confirmed(results: Results, trial: TrialRecord) -> str | None:
    """Return the means of a trial's confirmations in a sentence, if there are any."""
    rows = [row for row in results.confirmed if row.trial.number == trial.number]
    if not rows:
        return None
    (row,) = rows
    names = results.space.objectives
    reached = ", ".join(f"{name} {figure(row.mean[name])} ± {figure(row.spread[name])}" for name in names)
    return f"Trained again with {row.seeds} other seeds: {reached} (mean ± deviation)."


def _interval(trial: TrialRecord, name: str) -> str:
    if name not in trial.intervals:
        return "-"
    low, high = trial.intervals[name]
    return f"{figure(low)} to {figure(high)}"


def _commands(results: Results, trial: TrialRecord) -> list[tuple[str, str]]:
    """Return the commands that write a trial's config and train it."""
    pick = ["--pick", f"trial:{number(trial)}", "--out", "best", "--storage", str(results.folder.parent)]
    config = ["--config", f"best/{results.config_file(trial)}", "--out", f"trained-{number(trial)}"]
    return [
        ("Export its config", shlex.join(["python", "-m", "tuning", "export", results.name, *pick])),
        ("Train it", shlex.join(["python", "-m", "dcodr", "train", *config]) + results.space.permission),
    ]
