"""Train random configs of a record's space and record every epoch's metrics, the basis of comparing searches.

    python -m benchmarks.search_efficiency.record embedded --configs 128
    python -m benchmarks.search_efficiency.record cars3d --configs 64 --every 3

Appends one JSON line per training to the record as soon as it ends, and continues after an interruption. A
training of the embedded dataset takes about 80 seconds of one core.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import optuna
from rich.progress import track

from benchmarks.domains import thinned
from benchmarks.search_efficiency.records import RECORDS, SPACE, TRAININGS, noted
from dcodr.config import Config
from dcodr.data.store import open_store
from dcodr.errors import DivergedError
from dcodr.training.checkpoint import Epoch
from dcodr.training.trainer import fit
from tuning.ledger.encoding import suggest
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space, load_space

METRICS = ("invariance", "informativeness", "effective_rank", "code_variance")


def main() -> None:
    """Run the trainings that the record lacks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("record", choices=RECORDS, help="the record to continue")
    parser.add_argument("--configs", type=int, default=128, help="random configs, each with seed 0")
    parser.add_argument("--repeated", type=int, default=16, help="of these, configs with seeds 1 and 2 too")
    parser.add_argument("--workers", type=int, default=2, help="trainings at a time, one thread each")
    parser.add_argument("--every", type=int, default=1, help="train on the images of every n-th domain only")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = load_space(RECORDS[options.record] / SPACE, search={"sampler": "random"})
    record = RECORDS[options.record] / TRAININGS
    done = {(run["config"], run["seed"]): run for run in noted(record)}
    seeds = [(0, 1, 2) if i < options.repeated else (0,) for i in range(options.configs)]
    wanted = [(i, seed) for i in range(options.configs) for seed in seeds[i]]
    missing = [key for key in wanted if key not in done]
    for every in {every_of(run) for run in done.values()} - {options.every}:
        parser.error(f"received --every {options.every}; {record} was made with --every {every}")
    values = {i: done[i, 0]["values"] if (i, 0) in done else draw(space, i) for i, _ in missing}
    jobs = [(space, i, values[i], seed, options.every) for i, seed in missing]
    train_and_note(record, jobs, options.workers)


def train_and_note(
    path: Path,
    jobs: Sequence[tuple[Space, int, dict[str, Any], int, int]],
    workers: int,
    facts: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Run trainings, each with arguments of :func:`train`, and append each to a file as soon as it ends.

    ``facts`` may have further facts of each, to be noted with it.
    """
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(train, *job): i for i, job in enumerate(jobs)}
        for future in track(as_completed(futures), total=len(futures), description="training"):
            more = dict(facts[futures[future]]) if facts else {}
            with path.open("a") as file:
                file.write(json.dumps(future.result() | more) + "\n")


def draw(space: Space, index: int) -> dict[str, Any]:
    """Return the config of an index, the first draw of the platform's random sampler with that seed.

    The sampler has changed since the first 32 of the embedded dataset were recorded. The values in the record
    are those that were trained.
    """
    study = optuna.create_study(directions=["maximize"] * 2, sampler=SpaceSampler(space, index))
    return suggest(study.ask(), space.params)


def train(space: Space, index: int, values: dict[str, Any], seed: int, every: int) -> dict[str, Any]:
    """Run one training and return its line of the record."""
    config = Config.model_validate(space.config(values).model_dump() | {"seed": seed})
    epochs: list[dict[str, Any]] = []
    data = thinned(open_store(config.store), every)
    failure, started = None, time.perf_counter()
    try:
        fit(config, data, on_epoch=lambda epoch: epochs.append(metrics(epoch)))
    except DivergedError as error:
        failure = str(error)
    seconds = round(time.perf_counter() - started, 1)
    run = {"config": index, "seed": seed, "every": every, "values": values, "epochs": epochs}
    return run | {"failure": failure, "seconds": seconds}


def every_of(run: Mapping[str, Any]) -> int:
    """Return n of a training on every n-th domain."""
    return int(run.get("every", 1))


def metrics(epoch: Epoch) -> dict[str, Any]:
    """Return the recorded values of an epoch."""
    assert epoch.report is not None
    kept: dict[str, Any] = {name: round(epoch.report.metrics[name], 5) for name in METRICS}
    return kept | {"infeasible": epoch.report.infeasible, "loss": round(epoch.losses["loss"], 4)}


if __name__ == "__main__":
    main()
