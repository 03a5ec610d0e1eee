"""Compare the effect of training in bfloat16 on the final metrics with the spread of seeds.

    python -m benchmarks.precision --config configs/cars3d/dcodr_norec.yaml --seeds 4

Trains a config in float32 and in bfloat16 with the same seeds, tests every training on the test images with
the paper's probe, appends the metrics to ``precision.jsonl``, and prints means and deviations of all recorded
trainings. Four trainings of Cars3D take a quarter of an hour on two cores.
"""

import argparse
import itertools
import json
import math
import statistics
from pathlib import Path
from typing import Any

from benchmarks.measure import note
from dcodr.config import Config, read_config
from dcodr.data.store import open_store
from dcodr.evaluation.probes import PAPER
from dcodr.evaluation.report import evaluate_encoder
from dcodr.training.trainer import fit

RECORD = Path(__file__).with_suffix(".jsonl")
PRECISIONS = ("float32", "bfloat16")
METRICS = ("domain_accuracy", "invariance", "informativeness", "accuracy/azimuth", "accuracy/elevation")
Runs = list[dict[str, Any]]


def main() -> None:
    """Run the trainings that the record lacks, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", required=True, help="file of a config")
    parser.add_argument("--seeds", type=int, default=0, help="total number; 0 trains nothing")
    options = parser.parse_args()
    config, _ = read_config(options.config)
    name = Path(options.config).stem
    runs = [run for run in recorded() if run["config"] == name]
    done = {(run["seed"], run["precision"]) for run in runs}
    for seed, precision in itertools.product(range(options.seeds), PRECISIONS):
        if (seed, precision) not in done:
            chosen = config.model_copy(update={"precision": precision, "seed": seed})
            run = {"config": name, "seed": seed, "precision": precision, "figures": tested(chosen)}
            note(json.dumps(run))
            with RECORD.open("a") as file:
                file.write(json.dumps(run) + "\n")
            runs.append(run)
    print(table(runs))


def recorded() -> Runs:
    """Read all recorded trainings."""
    return [json.loads(line) for line in RECORD.read_text().splitlines()] if RECORD.exists() else []


def tested(config: Config) -> dict[str, float]:
    """Train, and return the metrics on the test images with the paper's probe."""
    data = open_store(config.store)
    trained = fit(config, data)
    report = evaluate_encoder(trained.method.encoder, data, "test", PAPER, seed=config.seed)
    return {name: round(report.metrics[name], 5) for name in METRICS}


def metrics(runs: Runs, precision: str, name: str) -> list[float]:
    """Return a metric of all trainings in a precision."""
    return [run["figures"][name] for run in runs if run["precision"] == precision]


def change(wide: list[float], half: list[float]) -> float:
    """Return the difference of the means in standard deviations of the seeds, pooled over both precisions."""
    # Both precisions have the same number of seeds, so the pooled variance is the mean of both.
    deviation = math.sqrt((statistics.variance(wide) + statistics.variance(half)) / 2)
    return (statistics.mean(half) - statistics.mean(wide)) / deviation


def table(runs: Runs) -> str:
    """Format means and deviations over the seeds, and bfloat16's change in deviations, as Markdown.

    The deviation is pooled over both precisions. Another seed causes a change of about one deviation, too.
    """
    lines = ["| metric | float32 | bfloat16 | change in deviations of the seeds |", "|---|--:|--:|--:|"]
    for name in METRICS:
        wide, half = (metrics(runs, precision, name) for precision in PRECISIONS)
        cells = [f"{statistics.mean(some):.3f} ± {statistics.stdev(some):.3f}" for some in (wide, half)]
        lines.append(f"| {name} | {' | '.join(cells)} | {change(wide, half):+.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
