"""A search on one GPU: 16 trials of ``augs.yaml``, four at a time, through Ray."""

import io
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from benchmarks.measure import Row
from benchmarks.scale import SPACE
from dcodr.data.prepare import prepare_synthetic
from tuning.run import run_search
from tuning.space import Space, load_space

TRIALS, AT_A_TIME, IMAGES = 16, 4, 2_000


def search() -> Iterator[Row]:
    """Search, and report the duration and the final states of the trials."""
    with tempfile.TemporaryDirectory(prefix="gpu-search-") as name:
        folder = Path(name)
        prepare_synthetic(folder / "data.h5", IMAGES)
        began = time.perf_counter()
        found = run_search(
            space_on_gpu(folder / "data.h5"), storage=folder, console=Console(file=io.StringIO(), width=100)
        )
        seconds = time.perf_counter() - began
        ended = Counter(record.status for record in found.ledger.records())
    said = ", ".join(f"{count} {status}" for status, count in sorted(ended.items()))
    met = sum(ended.values()) == TRIALS and not ended["failed"] and not ended["running"]
    work = f"search of {TRIALS} trials, {AT_A_TIME} at a time"
    yield Row(work, "", f"{seconds:.0f} s: {said}", None, "every trial trains", met)


def space_on_gpu(data: Path) -> Space:
    """Load ``augs.yaml`` with every trial on its share of the GPU."""
    settings = {"device": "cuda", "precision": "bfloat16", "resources.gpus_per_trial": 1 / AT_A_TIME}
    return load_space(SPACE, data=str(data), settings=settings, search={"trials": TRIALS})
