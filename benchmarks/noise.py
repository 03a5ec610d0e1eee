"""Parts of the noise in a search's metrics: probe seeds, scored images, seeds of training.

    python -m benchmarks.noise trained_0 trained_1 trained_2 --seeds 8

Takes output folders of ``python -m dcodr train``, best of one config with several training seeds. Measures
each on its validation images with the fast probes of several seeds: as they are now, and as they were up to
protocol 2 (a tenth held out, best epoch kept, one probe a factor). Prints standard deviations of invariance
and informativeness, and the CPU seconds of an evaluation.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from dcodr.data.remote import open_dataset
from dcodr.evaluation.metrics import probe_intervals, probe_metrics
from dcodr.evaluation.probes import FAST
from dcodr.evaluation.report import encode_split
from dcodr.files import CHECKPOINT
from dcodr.training.checkpoint import load_checkpoint, trained_encoder
from dcodr.training.trainer import resolve_device
from tuning.results.answer import STANDARD_ERRORS

EARLIER = replace(FAST, patience=12, probes=1)
"""The fast probes up to protocol 2."""
BUDGETS = {"earlier": EARLIER, "now": FAST}


def main() -> None:
    """Measure all encoders under both budgets, and print the parts of the noise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trained", nargs="+", type=Path, help="output folders of 'train'")
    parser.add_argument("--seeds", type=int, default=8, help="probe seeds of each encoder")
    options = parser.parse_args()
    found = {name: [measure(folder, name, options.seeds) for folder in options.trained] for name in BUDGETS}
    table = Table("noise of", "objective", *BUDGETS, title="standard deviations", title_justify="left")
    for i, objective in enumerate(("invariance", "informativeness")):
        parts = {name: split_noise([one[0][:, i] for one in each]) for name, each in found.items()}
        errors = {name: np.mean([one[1][i] for one in each]) for name, each in found.items()}
        table.add_row("probe seed", objective, *(f"{part[0]:.4f}" for part in parts.values()))
        table.add_row("scored images", objective, *(f"{error:.4f}" for error in errors.values()))
        if len(options.trained) > 1:
            table.add_row("training seed", objective, *(f"{part[1]:.4f}" for part in parts.values()))
        means = {name: np.mean([one[0][:, i] for one in each]) for name, each in found.items()}
        table.add_row("(mean)", objective, *(f"{mean:.4f}" for mean in means.values()))
    seconds = {name: np.mean([one[2] for one in each]) for name, each in found.items()}
    table.add_row("CPU seconds", "", *(f"{value:.1f}" for value in seconds.values()))
    Console().print(table)


def measure(folder: Path, budget: str, seeds: int) -> tuple[np.ndarray, tuple[float, float], float]:
    """Measure one encoder under a budget with several probe seeds.

    Returns:
        ``(seeds, 2)`` invariance and informativeness, their standard errors over the scored images, and the
        CPU seconds of one evaluation.
    """
    state = load_checkpoint(folder / CHECKPOINT)
    torch.set_num_threads(state.config.threads)
    data = open_dataset(state.config)
    encoder = trained_encoder(state).to(resolve_device(state.config.device))
    started = process_time()
    encoded = encode_split(encoder, data, "validation")
    encoding, started, rows = process_time() - started, process_time(), []
    for seed in track(range(seeds), description=f"{folder.name}, {budget}", transient=True):
        outcomes = encoded.outcomes(encoded.probed(BUDGETS[budget], seed))
        domain = outcomes.pop("domain")
        metrics = probe_metrics(domain, outcomes, encoded.mean_skill, encoded.derived)
        rows.append([metrics["invariance"], metrics[encoded.mean_skill]])
    fitting = (process_time() - started) / seeds
    limits = probe_intervals(domain, outcomes, 1000, 0, encoded.mean_skill, encoded.derived)
    low, high = zip(limits["invariance"], limits[encoded.mean_skill], strict=True)
    errors = ((high[0] - low[0]) / STANDARD_ERRORS, (high[1] - low[1]) / STANDARD_ERRORS)
    return np.array(rows), errors, encoding + fitting


def split_noise(values: list[np.ndarray]) -> tuple[float, float]:
    """Split values, an array over probe seeds for each training, into two standard deviations.

    Returns:
        That of one probe seed, and that of the training seed without the probes' part.
    """
    within = float(np.mean([each.var(ddof=1) for each in values]))
    if len(values) < 2:
        return within**0.5, 0.0
    between = float(np.var([each.mean() for each in values], ddof=1)) - within / len(values[0])
    return within**0.5, max(between, 0.0) ** 0.5


if __name__ == "__main__":
    main()
