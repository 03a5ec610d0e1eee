"""Compute what MLflow should hold of a search and write what is missing: MLflow mirrors the ledger.

All of it follows from the ledger alone, so that it may be done any number of times. A driver writes as it
goes (`tuning.tracking.outbox`); `tuning.tracking.doctor` mends what an outage or a crash has left.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import time

from dcodr.augmentations.names import AUGMENTATIONS
from dcodr.config import Config, dump_config
from dcodr.config.methods import has_effect
from tuning.ledger.budget import Budget
from tuning.ledger.trials import Status as TrialStatus
from tuning.ledger.trials import TrialRecord, kept_of, label
from tuning.results.csv_tables import front_csv
from tuning.results.gain import gain_csv
from tuning.results.search import ANALYSIS, Search
from tuning.space import Space
from tuning.tracking.conclusion import describe, what_mattered
from tuning.tracking.tracker import Figures, Status, Tracker, TrialRun
from tuning.tracking.view import trials_view

EXPERIMENT = "dcodr"
DESCRIPTION = "mlflow.note.content"
"""The tag that MLflow shows as Markdown on a run's page."""
OUTCOMES: Mapping[TrialStatus, Status] = {
    "complete": "FINISHED",
    "infeasible": "FINISHED",
    "reused": "FINISHED",
    "pruned": "FINISHED",
    "failed": "FAILED",
    "interrupted": "KILLED",
}
"""MLflow marks a killed run like one that failed, by a red cross, and being stopped early is no failure."""


@dataclass(frozen=True)
class Gap:
    """What a trial's run lacks of what the ledger knows.

    Attributes:
        settings: Whether it lacks parameters.
        epochs: The epochs whose figures it lacks.
        test: Whether it lacks figures on the test images.
        status: The status it should have instead, if so.
        tags: How the trial ended, as far as the run has it otherwise.
    """

    settings: bool
    epochs: tuple[int, ...]
    test: bool
    status: Status | None
    tags: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.settings or self.epochs or self.test or self.status or self.tags)


def gap(search: Search, record: TrialRecord, run: TrialRun, *, driven: bool) -> Gap:
    """Compare a trial with its run.

    Args:
        search: The search.
        record: The trial.
        run: Its run.
        driven: Whether a process is at work on it, if it has not ended.
    """
    status = status_of(record, driven=driven)
    tags = {} if record.status == "running" else ended(record)
    return Gap(
        settings=not parameters(record, search.space).keys() <= run.params.keys(),
        epochs=tuple(epoch for epoch in record.epochs if epoch not in run.epochs),
        test=not tested(record).keys() <= run.figures.keys(),
        status=status if run.status != status else None,
        tags={name: value for name, value in tags.items() if run.tags.get(name) != value},
    )


def is_ended(search: Search, record: TrialRecord, run: TrialRun) -> bool:
    """Whether a run has how its trial ended, which is written last, so that the rest is there."""
    lacks = gap(search, record, run, driven=False)
    return record.status != "running" and not (lacks.test or lacks.status or lacks.tags)


def bring(
    tracker: Tracker, search: Search, record: TrialRecord, run: TrialRun | None, *, driven: bool
) -> TrialRun | None:
    """Bring a trial's run to what ledger and folder have, the status last.

    Args:
        tracker: The search's runs.
        search: The search.
        record: The trial.
        run: Its run, with its epochs; ``None`` if it has none yet.
        driven: Whether a process is at work on it, if it has not ended.

    Returns:
        The run as it is now; ``None`` if the trial needs none.
    """
    space = search.space
    if run is None:
        if not is_mirrored(record):
            return None
        tags = tags_of(search, record)
        config = dump_config(config_of(record, space))
        run = tracker.start_trial(record.number, name_of(record), parameters(record, space), tags, config)
    lacks = gap(search, record, run, driven=driven)
    if lacks.settings:
        run = tracker.describe_trial(run, parameters(record, space), dump_config(config_of(record, space)))
    if lacks.epochs or lacks.test:
        tracker.log_epochs(run.run_id, figures_of(record, lacks.epochs))
    if lacks.tags:
        tracker.keep(run.run_id, {}, artifacts_of(search, record))
        tracker.add_files(run.run_id, sorted(kept_of(search.folder, record.number).glob("*.png")))
    if lacks.status or lacks.tags:
        tags = {**lacks.tags, **description(record, space)}
        name = name_of(record) if record.status == "pruned" else None
        tracker.set_status(run.run_id, status_of(record, driven=driven), tags, name)
    return replace(
        run,
        status=status_of(record, driven=driven),
        epochs=(*run.epochs, *lacks.epochs),
        figures={**run.figures, **tested(record)},
        tags={**run.tags, **lacks.tags},
    )


def is_mirrored(record: TrialRecord) -> bool:
    """Whether a trial should have a run: not if it was never trained."""
    return record.status != "reused" and (record.status != "interrupted" or bool(record.epochs))


def status_of(record: TrialRecord, *, driven: bool) -> Status:
    """The status of a trial's run."""
    if record.status == "running":
        return "RUNNING" if driven else "KILLED"
    return OUTCOMES[record.status]


def ended(record: TrialRecord) -> dict[str, str]:
    """How a trial ended."""
    feasible = {} if record.status == "failed" else {"feasible": str(record.status != "infeasible").lower()}
    return {"status": record.status, "epoch": str(record.epoch), "reason": record.reason or "", **feasible}


def description(record: TrialRecord, space: Space) -> dict[str, str]:
    """Return what the page of a trial that was stopped early says of it, as a tag; users may change it."""
    if record.status != "pruned":
        return {}
    epochs = f"{record.epoch} of {space.config(record.values).epochs} epochs"
    text = "its figures are those of its last evaluation, and it does not compete for the front."
    return {DESCRIPTION: f"**Stopped early** after {epochs}: {text}"}


def name_of(record: TrialRecord) -> str:
    """Return a trial's name in the UI, e.g. ``012 blur+crop t=0.14``; those stopped early are told apart."""
    if record.confirms is not None:
        return f"{record.number:03d} confirms {record.confirms:03d} with seed {record.seed}"
    stopped = f" (stopped at epoch {record.epoch})" if record.status == "pruned" else ""
    return f"{record.number:03d} {label(record.values)}{stopped}"


def tags_of(search: Search, record: TrialRecord) -> dict[str, str]:
    """What to find a trial by, besides its number."""
    config = config_of(record, search.space)
    tags = {"search": search.name, "dataset": config.dataset, "method": config.method}
    if record.paper:
        tags["paper"] = "true"
    return tags if record.confirms is None else tags | {"confirms": str(record.confirms)}


def artifacts_of(search: Search, record: TrialRecord) -> dict[str, str]:
    """What MLflow keeps of a trial besides its config: the probes as a table, file name to text."""
    if not record.figures:
        return {}
    rows = ["figure,value,low,high"]
    for name, value in record.figures.items():
        low, high = record.intervals.get(name, ("", ""))
        rows.append(f"{name},{value},{low},{high}")
    return {"probes.csv": "\n".join(rows) + "\n"}


def config_of(record: TrialRecord, space: Space) -> Config:
    """The config that a trial trains."""
    return space.config(record.values).model_copy(update={"seed": record.seed})


def parameters(record: TrialRecord, space: Space) -> dict[str, object]:
    """What MLflow shows as a trial's parameters: what was searched, each augmentation as a boolean too.

    A method without augmentations has none of them.
    """
    config = config_of(record, space)
    shown: dict[str, object] = {"epochs": config.epochs, "seed": config.seed, **record.values}
    if not has_effect("augmentations", config.method):
        return shown
    shown["augmentations"] = "+".join(config.augmentations)
    return shown | {f"augmentation.{name}": name in config.augmentations for name in AUGMENTATIONS}


def figures_of(record: TrialRecord, epochs: tuple[int, ...]) -> list[Figures]:
    """What MLflow has of a trial's epochs, and of its test."""
    noted = [(epoch, record.epochs[epoch]) for epoch in epochs]
    figures = [Figures(epoch, one.at, {**one.training, **one.figures}) for epoch, one in noted]
    if record.test:
        figures.append(Figures(record.epoch, record.epochs[record.epoch].at, tested(record)))
    return figures


def tested(record: TrialRecord) -> dict[str, float]:
    """A trial's figures on the test images, by their names in MLflow."""
    return {f"test/{name}": value for name, value in record.test.items()}


def search_status(search: Search) -> Status:
    """The status of the parent run of a search that no process is at work on."""
    if search.ledger.facts().get("ended") is None:
        return "KILLED"
    return "FINISHED" if search.front() else "FAILED"


def open_parent(folder: Path, space: Space, tracker: Tracker, identity: str) -> str:
    """Open the parent run of a search, whose space file is in its folder; returns its id.

    Args:
        folder: The search's folder.
        space: What is searched.
        tracker: The store to open it in.
        identity: What no other search has: a run of it that is there already is opened again.
    """
    settings = space.search
    remote = tracker.uri.startswith(("http://", "https://"))
    run_id = tracker.start_search(
        identity,
        folder.name,
        {
            "search": folder.name,
            "dataset": space.base.dataset,
            "method": space.base.method,
            "folder": str(folder.resolve()),
        },
        {
            "trials": settings.trials,
            "sampler": settings.sampler,
            "seed": settings.seed,
            "objectives": ", ".join(space.objectives),
        },
        experiment=EXPERIMENT,
        artifact_root=None if remote else (folder.resolve().parent / "mlartifacts").as_uri(),
    )
    tracker.save_view(trials_view(folder.name, space, time()))
    tracker.keep(run_id, {}, {"space.yaml": (folder / "space.yaml").read_text(encoding="utf-8")})
    return run_id


def close_parent(search: Search, tracker: Tracker) -> None:
    """Leave in MLflow what a search came to, as far as it has come: its trials' ranks and the parent run."""
    counts = Counter(trial.status for trial in search.trials())
    kinds: tuple[TrialStatus, ...] = ("complete", "pruned", "infeasible", "failed")
    front = search.front()
    tags = {f"trials_{kind}": str(counts[kind]) for kind in kinds} | {"front": str(len(front))}
    artifacts = {"environment.json": json.dumps(search.ledger.facts().get("versions"), indent=2)}
    if front:
        artifacts["front.csv"] = front_csv(search)
        artifacts["gain.csv"] = gain_csv(search)
        _tell_ranks(search, tracker)
        tracker.log_epochs(tracker.search_id, hypervolumes(search))
        files, mattered = what_mattered(search)
        tracker.add_files(tracker.search_id, files, ANALYSIS)
        tags[DESCRIPTION] = describe(search, mattered)
    tracker.keep(tracker.search_id, tags, artifacts)
    tracker.set_status(tracker.search_id, search_status(search), {})


def _tell_ranks(search: Search, tracker: Tracker) -> None:
    """Tag every complete trial with whether it is on the front, and with its rank: 1 for the front, 2..."""
    ranks = search.ranks()
    front = {trial.number for trial in search.front()}
    for run in tracker.trial_runs():
        if run.number in ranks:
            tags = {"front": str(run.number in front).lower(), "rank": str(ranks[run.number])}
            if not tags.items() <= run.tags.items():
                tracker.keep(run.run_id, tags, {})


def hypervolumes(search: Search) -> list[Figures]:
    """The hypervolume of the front after each complete trial, in the order in which they ended."""
    budget = Budget(
        search.space.search,
        search.space.base.epochs,
        list(search.space.objectives.values()),
        search.space.reference,
    )
    ended = [trial for trial in search.trials() if trial.status == "complete"]
    ended.sort(key=lambda trial: trial.epochs[trial.epoch].at)
    history = []
    for count, trial in enumerate(ended, start=1):
        budget.end(trial.epoch, [trial.figures[name] for name in search.space.objectives])
        history.append(Figures(count, trial.epochs[trial.epoch].at, {"hypervolume": budget.hypervolume}))
    return history
