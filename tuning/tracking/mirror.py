"""MLflow's mirror of the ledger: compute the records of a search and write those that are missing.

All records follow from the ledger alone, so writing them again does no harm. A driver writes during the
search (`tuning.tracking.outbox`); `tuning.tracking.doctor` repairs the rest after an outage or a crash.
"""

import itertools
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import time

from dcodr.augmentations.names import AUGMENTATIONS
from dcodr.config import Config, dump_config
from dcodr.config.methods import has_effect
from dcodr.tables import csv_text
from tuning.ledger.trials import TrialRecord, TrialStatus, kept_of
from tuning.results.answer import answer_metrics
from tuning.results.csv_tables import front_csv, gain_csv
from tuning.results.results import ANALYSIS, Results
from tuning.results.search import Search
from tuning.space import Space
from tuning.space.params import SubsetParam
from tuning.space.words import label
from tuning.tracking.conclusion import Conclusion, describe, what_mattered
from tuning.tracking.descriptions import DESCRIPTION, of_search, of_trial
from tuning.tracking.metrics import epoch_metrics, rounded
from tuning.tracking.tracker import FOLDER, EpochMetrics, RunStatus, Tracker, TrialRun
from tuning.tracking.view import trials_view

EXPERIMENT = "dcodr"
OUTCOMES: Mapping[TrialStatus, RunStatus] = {
    "complete": "FINISHED",
    "infeasible": "FINISHED",
    "reused": "FINISHED",
    "pruned": "FINISHED",
    "failed": "FAILED",
    "interrupted": "KILLED",
}
"""Status in MLflow by the status of a trial. Trials that were stopped early are FINISHED: MLflow marks a
KILLED run with a red cross, like a failed run, and an early stop is no failure."""


@dataclass(frozen=True)
class Gap:
    """Missing parts of a trial's run.

    Attributes:
        settings: Whether parameters are missing.
        epochs: The epochs whose metrics are missing.
        test: Whether test metrics are missing.
        status: The right status, if the run has another.
        tags: Tags about the trial's end that are missing or differ.
    """

    settings: bool
    epochs: tuple[int, ...]
    test: bool
    status: RunStatus | None
    tags: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.settings or self.epochs or self.test or self.status or self.tags)


def gap(search: Search, record: TrialRecord, run: TrialRun, *, driven: bool) -> Gap:
    """Compare a trial with its run.

    ``driven`` tells if a process works on the trial, unless it has ended.
    """
    status = status_of(record, driven=driven)
    tags = {} if record.status == "running" else ended(record)
    return Gap(
        settings=not parameters(record, search.space).keys() <= run.params.keys(),
        epochs=tuple(epoch for epoch in record.epochs if epoch not in run.epochs),
        test=not tested(record).keys() <= run.metrics.keys(),
        status=status if run.status != status else None,
        tags={name: value for name, value in tags.items() if run.tags.get(name) != value},
    )


def is_ended(search: Search, record: TrialRecord, run: TrialRun) -> bool:
    """Return whether a run has its trial's end. The end is written last, so the run is complete then."""
    lacks = gap(search, record, run, driven=False)
    return record.status != "running" and not (lacks.test or lacks.status or lacks.tags)


def bring(
    tracker: Tracker, search: Search, record: TrialRecord, run: TrialRun | None, *, driven: bool
) -> TrialRun | None:
    """Write the missing parts of a trial's run from ledger and folder, the status last; return the run.

    ``run`` has its epochs; it is ``None`` if there is none yet. ``driven`` tells if a process works on the
    trial, unless it has ended.
    """
    # The order matters: a run that has its status and end tags is complete, see `is_ended`.
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
        tracker.log_epochs(run.run_id, metrics_of(record, lacks.epochs, space))
    if lacks.tags:
        tracker.keep(run.run_id, {}, artifacts_of(search, record))
        tracker.add_files(run.run_id, sorted(kept_of(search.folder, record.number).glob("*.png")))
    about = {DESCRIPTION: of_trial(record, space)} if lacks.tags or lacks.test else {}
    if lacks.status or lacks.tags:
        name = name_of(record) if record.status == "pruned" else None
        tracker.set_status(run.run_id, status_of(record, driven=driven), {**lacks.tags, **about}, name)
    elif about:
        tracker.keep(run.run_id, about, {})
    return replace(
        run,
        status=status_of(record, driven=driven),
        epochs=(*run.epochs, *lacks.epochs),
        metrics={**run.metrics, **tested(record)},
        tags={**run.tags, **lacks.tags},
    )


def is_mirrored(record: TrialRecord) -> bool:
    """Return whether a trial should have a run; a trial that was never trained has none."""
    return record.status != "reused" and (record.status != "interrupted" or bool(record.epochs))


def status_of(record: TrialRecord, *, driven: bool) -> RunStatus:
    """Return the status of a trial's run."""
    if record.status == "running":
        return "RUNNING" if driven else "KILLED"
    return OUTCOMES[record.status]


def ended(record: TrialRecord) -> dict[str, str]:
    """Return the tags about a trial's end."""
    feasible = {} if record.status == "failed" else {"feasible": str(record.status != "infeasible").lower()}
    return {"status": record.status, "epoch": str(record.epoch), "reason": record.reason or "", **feasible}


def name_of(record: TrialRecord) -> str:
    """Return a trial's name in the UI, e.g. ``012 crop + blur, temperature 0.14``, with an early stop."""
    if record.confirms is not None:
        return f"{record.number:03d} confirms {record.confirms:03d} with seed {record.seed}"
    # The mark comes first, because lists cut long names.
    stopped = f"stopped at epoch {record.epoch}: " if record.status == "pruned" else ""
    return f"{record.number:03d} {stopped}{label(record.values)}"


def tags_of(search: Search, record: TrialRecord) -> dict[str, str]:
    """Return the tags by which a trial is found, besides its number."""
    config = config_of(record, search.space)
    tags = {"search": search.name, "dataset": config.dataset, "method": config.method}
    if record.paper:
        tags["paper"] = "true"
    return tags if record.confirms is None else tags | {"confirms": str(record.confirms)}


def artifacts_of(search: Search, record: TrialRecord) -> dict[str, str]:
    """Return a trial's artifacts besides its config, file name to text: a table of the probes."""
    if not record.metrics:
        return {}
    rows = [
        (name, value, *record.intervals.get(name, (None, None))) for name, value in record.metrics.items()
    ]
    return {"probes.csv": csv_text(["metric", "value", "low", "high"], rows)}


def config_of(record: TrialRecord, space: Space) -> Config:
    """Return the config of a trial. A confirmation is evaluated only at its end, whatever its config says."""
    return space.config(record.values).model_copy(update={"seed": record.seed})


def parameters(record: TrialRecord, space: Space) -> dict[str, object]:
    """Return a trial's parameters in MLflow: the searched settings, and each augmentation as a boolean.

    A method without augmentations has no such booleans.
    """
    config = config_of(record, space)
    shown: dict[str, object] = {"epochs": config.epochs, "seed": config.seed, **record.values}
    if not has_effect("augmentations", config.method):
        return shown
    shown["augmentations"] = "+".join(config.augmentations)
    subsets = [param.members for param in space.params.values() if isinstance(param, SubsetParam)]
    known = dict.fromkeys([*AUGMENTATIONS, *itertools.chain(*subsets), *config.augmentations])
    return shown | {f"augmentation.{name}": name in config.augmentations for name in known}


def metrics_of(record: TrialRecord, epochs: tuple[int, ...], space: Space) -> list[EpochMetrics]:
    """Return the metrics of a trial's epochs and of its test, as MLflow gets them."""
    noted = [(epoch, record.epochs[epoch]) for epoch in epochs]
    metrics = [EpochMetrics(epoch, one.at, epoch_metrics(one, space.objectives)) for epoch, one in noted]
    if record.test:
        last = record.epochs[record.epoch]
        metrics.append(EpochMetrics(record.epoch, last.at, rounded(tested(record))))
    return metrics


def tested(record: TrialRecord) -> dict[str, float]:
    """Return a trial's metrics on the test images, by their names in MLflow."""
    return {f"test/{name}": value for name, value in record.test.items()}


def search_status(results: Results) -> RunStatus:
    """Return the status of the parent run of a search that no process works on."""
    if results.facts.get("ended") is None:
        return "KILLED"
    return "FINISHED" if results.front else "FAILED"


def open_parent(folder: Path, space: Space, tracker: Tracker, identity: str) -> str:
    """Open the parent run of a search, whose space file is in its folder; return the run's id.

    An existing run of this identity is opened again.
    """
    settings = space.search
    # A server decides where it keeps artifacts; for a database on this machine they go beside the searches.
    remote = tracker.uri.startswith(("http://", "https://"))
    run_id = tracker.start_search(
        identity,
        folder.name,
        {
            "search": folder.name,
            "dataset": space.base.dataset,
            "method": space.base.method,
            FOLDER: str(folder.resolve()),
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
    tracker.save_view(trials_view(folder.name, run_id, space, time()))
    about = {DESCRIPTION: of_search(folder.name, space)}
    tracker.keep(run_id, about, {"space.yaml": space.file_text()})
    return run_id


def close_parent(search: Search, tracker: Tracker, concluded: Conclusion | None = None) -> None:
    """Write the results of a search so far to MLflow: its trials' ranks and the parent run.

    The conclusion is made here if it is not given.
    """
    results = search.results()
    counts = Counter(trial.status for trial in results.trials)
    kinds: tuple[TrialStatus, ...] = ("complete", "pruned", "infeasible", "failed")
    tags = {f"trials_{kind}": str(counts[kind]) for kind in kinds} | {"front": str(len(results.front))}
    artifacts = {"environment.json": json.dumps(results.facts.get("versions"), indent=2)}
    if results.front:
        artifacts["front.csv"] = front_csv(results)
        artifacts["gain.csv"] = gain_csv(results)
        tell_ranks(results, tracker)
        whole = [*hypervolumes(results), *_answer(results)]
        written = [replace(one, values=rounded(one.values)) for one in whole]
        tracker.log_epochs(tracker.search_id, written)
        files, mattered = concluded or what_mattered(results)
        tracker.add_files(tracker.search_id, files, ANALYSIS)
        tags[DESCRIPTION] = describe(results, mattered)
    tracker.keep(tracker.search_id, tags, artifacts)
    tracker.set_status(tracker.search_id, search_status(results), {})


def tell_ranks(results: Results, tracker: Tracker) -> None:
    """Tag the trials that compete with their place on the front or off it, and their rank: 1, 2..."""
    for run, tags in wrong_ranks(results, tracker):
        tracker.keep(run.run_id, tags, {})


def wrong_ranks(results: Results, tracker: Tracker) -> list[tuple[TrialRun, dict[str, str]]]:
    """Return the runs whose tags of front and rank are missing or old, with the right ones."""
    wrong = []
    for run in tracker.trial_runs():
        rank = results.ranks.get(run.number)
        if rank is None and "rank" not in run.tags:
            continue
        # A trial that competed before the confirmations may not do so any more.
        tags = {"front": str(rank == 1).lower(), "rank": "" if rank is None else str(rank)}
        if not tags.items() <= run.tags.items():
            wrong.append((run, tags))
    return wrong


def _answer(results: Results) -> list[EpochMetrics]:
    """Return the search's answer as metrics, timed by the training that ended last."""
    metrics = answer_metrics(results)
    trials = [trial for trial, _ in results.ended]
    # The step grows with every training and every test, so that MLflow shows the newest answer.
    step = len(trials) + sum(bool(trial.test) for trial in trials)
    return [EpochMetrics(step, max(trial.end for trial in trials), dict(metrics))] if metrics else []


def hypervolumes(results: Results) -> list[EpochMetrics]:
    """Return the front's hypervolume after each complete trial, in the order of their ends."""
    # The times are those of the ledger, so a second write gives the same.
    growth = [(trial, volume) for trial, volume in results.growth if trial.status == "complete"]
    return [
        EpochMetrics(count, trial.epochs[trial.epoch].at, {"hypervolume": volume})
        for count, (trial, volume) in enumerate(growth, start=1)
    ]
