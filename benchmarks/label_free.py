"""Compare the rankings of trainings by ``image_informativeness``, without labels, and ``informativeness``.

    python -m benchmarks.label_free --dataset cars3d --configs 24

Trains random settings of ``search_spaces/augs.yaml`` or ``cars3d.yaml`` up to the given number, measures both
metrics with a search's probes, appends them to ``label_free.jsonl``, and prints Spearman's rank correlation
over all recorded trainings, with 95 % intervals (Bonett & Wright, "Sample size requirements for estimating
Pearson, Kendall and Spearman correlations", Psychometrika 65, 2000). Datasets are small, so that a training
takes seconds: 4,000 rendered scenes, or every sixth car of ``data/cars3d.h5``. Collapsed codes do not count,
as in a search.

The first 30 of each dataset come from an earlier version of ``draw``. The values in the record are those that
were trained.
"""

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from benchmarks.domains import thinned
from dcodr.data.dataset import FactorDataset
from dcodr.data.prepare import prepare_synthetic
from dcodr.data.store import open_store
from dcodr.evaluation.appearance import IMAGE_INFORMATIVENESS
from dcodr.evaluation.probes import FAST
from dcodr.evaluation.report import evaluate_encoder
from dcodr.files import default_store
from dcodr.training.trainer import fit
from tuning.space import Space, load_space
from tuning.space.params import FloatParam, SubsetParam

SPACES = Path(__file__).parents[1] / "search_spaces"
RECORD = Path(__file__).with_suffix(".jsonl")
DATASETS = {"synthetic": SPACES / "augs.yaml", "cars3d": SPACES / "cars3d.yaml"}
METRICS = ("invariance", "informativeness", IMAGE_INFORMATIVENESS)


def main() -> None:
    """Run the trainings that the record lacks, and print the correlations."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", choices=DATASETS, default="synthetic")
    parser.add_argument("--configs", type=int, default=0, help="total number; 0 trains nothing")
    options = parser.parse_args()
    lines = RECORD.read_text().splitlines() if RECORD.exists() else []
    runs = [run for run in map(json.loads, lines) if run["dataset"] == options.dataset]
    missing = [i for i in range(options.configs) if i not in {run["config"] for run in runs}]
    if missing:
        space = load_space(DATASETS[options.dataset])
        data = smaller(options.dataset)
        for index in missing:
            run = {"dataset": options.dataset, "config": index, **train(space, data, draw(space, index))}
            print(json.dumps(run))
            with RECORD.open("a") as file:
                file.write(json.dumps(run) + "\n")
            runs.append(run)
    print(table(options.dataset, [run for run in runs if run["infeasible"] is None]))


def smaller(dataset: str) -> FactorDataset:
    """Return a dataset with few images, so that a training takes seconds."""
    if dataset == "synthetic":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "synthetic.h5"
            prepare_synthetic(path, 4000)
            return open_store(path)
    return thinned(open_store(default_store(dataset)), 6)


def draw(space: Space, index: int) -> dict[str, Any]:
    """Draw augmentations, rates and weights, and epochs; a quarter of the draws has reconstruction."""
    rng = np.random.default_rng(1000 + index)
    values: dict[str, Any] = {"method": "dcodr" if index % 4 == 1 else "dcodr_norec"}
    for key, param in space.params.items():
        if isinstance(param, SubsetParam):
            values[key] = list(param.draw(rng))
        elif isinstance(param, FloatParam) and param.log:
            values[key] = float(np.exp(rng.uniform(*np.log([param.low, param.high]))))
    return values | {"epochs": int(rng.integers(1, 4)), "perceptual.backbone": "pixel"}


def train(space: Space, data: FactorDataset, values: dict[str, Any]) -> dict[str, Any]:
    """Train, and return both metrics and the settings."""
    config = space.config(values)
    trained = fit(config.model_copy(update={"evaluate_every": config.epochs}), data)
    unlabelled = dataclasses.replace(data, spec=dataclasses.replace(data.spec, attributes=()), attributes={})
    without = evaluate_encoder(trained.method.encoder, unlabelled, "validation", FAST, seed=config.seed)
    metrics = {**without.metrics, **trained.report.metrics}
    measured = {name: metrics.get(name) for name in METRICS}
    return {"values": values, "infeasible": trained.report.infeasible, **measured}


def table(dataset: str, runs: list[dict[str, Any]]) -> str:
    """Format rank correlations of the two metrics, over all trainings and over the more invariant half."""
    invariance, labelled, without = (np.array([run[name] for run in runs]) for name in METRICS)
    half = invariance >= np.median(invariance)
    rows = [f"{dataset}: informativeness {labelled.min():.2f} to {labelled.max():.2f}"]
    for which, chosen in {"all": np.full(len(runs), True), "the more invariant half": half}.items():
        n, rho = chosen.sum(), spearmanr(labelled[chosen], without[chosen]).statistic
        half_width = 1.96 * np.sqrt((1 + rho**2 / 2) / (n - 3))
        low, high = np.tanh(np.arctanh(rho) + half_width * np.array([-1, 1]))
        rows.append(f"  {which}: {n} trainings, rank correlation {rho:.2f} ({low:.2f} to {high:.2f})")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
