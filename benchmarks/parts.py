"""Rows of single parts: views, contrastive loss, retrieval, the dataset in memory."""

import multiprocessing
import tempfile
from collections.abc import Sequence
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.measure import Row, alone, interleaved, peak_memory, seconds, times_better
from benchmarks.reference import losses, retrieval
from benchmarks.reference.views import views as plain_views
from benchmarks.steps import GIB, random_dataset
from dcodr.augmentations.names import AUGMENTATIONS, PAPER_SET
from dcodr.augmentations.views import Augment
from dcodr.data.dataset import FactorDataset
from dcodr.data.store import open_store, write_store
from dcodr.evaluation.retrieval import nearest_neighbours
from dcodr.losses.contrastive import DomainContrastiveLoss
from dcodr.methods.batch import Draws
from dcodr.training.batches import Batches
from dcodr.training.memory import keep_freed_memory
from dcodr.training.sampler import DomainBatchSampler

BATCH = 128
CALLS = 10
PAPER_GOAL, GOAL = 20_000, 5_000


def views() -> list[Row]:
    """Measure positive views, 64x64, in batches of 128: the paper's four, then each of its 13 alone.

    Freed memory is kept, as in a training.
    """
    keep_freed_memory()
    rows = [_views("views, the paper's four", PAPER_SET, PAPER_GOAL)]
    return rows + [_views(f"views, {name}", (name,), GOAL) for name in AUGMENTATIONS if name != "simsiam"]


def _views(work: str, names: Sequence[str], goal: int) -> Row:
    generator = torch.Generator().manual_seed(0)
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, 64, 64, 3), dtype=np.uint8)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)
    augment = Augment(names)
    reference, ours = interleaved(
        lambda: plain_views(pixels, names), lambda: [augment(images, generator) for _ in range(CALLS)], 9
    )
    rates = BATCH / reference, CALLS * BATCH / ours
    cells = f"{rates[0]:,.0f} img/s", f"{rates[1]:,.0f} img/s"
    return Row(work, *cells, rates[1] / rates[0], f">= {goal:,} img/s", rates[1] >= goal)


def contrastive() -> list[Row]:
    """Measure the contrastive loss and its gradients, for 4 x 32 codes."""
    codes = F.normalize(torch.randn(2, BATCH, 128, generator=torch.Generator().manual_seed(0)), dim=2)
    anchors, positives = (part.clone().requires_grad_() for part in codes)
    loss = DomainContrastiveLoss(0.2, 4)

    def ours() -> None:
        for _ in range(CALLS):
            torch.autograd.grad(loss(anchors, positives), (anchors, positives))

    def reference() -> None:
        plain = losses.contrastive_loss(anchors, positives, 0.2, 4)
        torch.autograd.grad(plain, (anchors, positives))

    one, other = interleaved(reference, ours, 20)
    return [times_better("contrastive loss, with gradients", one, other / CALLS, 9, "ms")]


def neighbours() -> list[Row]:
    """Measure retrieval: 1000 queries among 5000 codes, and all of 100,000.

    Freed memory is kept, as in a trial.
    """
    keep_freed_memory()
    codes = F.normalize(torch.randn(5000, 128, generator=torch.Generator().manual_seed(0)), dim=1)
    every = torch.arange(5000)
    one, other = interleaved(
        lambda: retrieval.nearest_neighbours(codes, every[:1000], 10),
        lambda: nearest_neighbours(codes, every, 10),
        5,
    )
    rows = [times_better("retrieval, 1000 queries of 5000", one, other / 5, 75, "ms")]
    took, extra = alone(_many_neighbours, 100_000)
    goal = "bounded memory"
    work = "retrieval, 100,000 queries of 100,000"
    return [*rows, Row(work, "", f"{took:.0f} s, {extra / GIB:.2f} GiB", None, goal, extra < GIB)]


def _many_neighbours(n: int) -> tuple[float, int]:
    """Return seconds, and bytes beyond those of the codes."""
    codes = F.normalize(torch.randn(n, 128, generator=torch.Generator().manual_seed(0)), dim=1)
    before = peak_memory()
    return seconds(lambda: nearest_neighbours(codes, torch.arange(n), 10)), peak_memory() - before


def dataset() -> list[Row]:
    """Measure the memory of four processes that make batches of one dataset, shared and private."""
    data = random_dataset()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.h5"
        images = np.tile(data.images, (32, 1, 1, 1))
        domain = np.tile(data.domain, 32)
        split = np.arange(len(domain), dtype=np.uint8) % 3
        write_store(path, data.spec, images, domain, {"attribute": domain % 2}, split, {})
        copies = sum(_shares_of_readers(path, 4)) / images.nbytes
    met = copies < 1.25  # each process also holds a batch and its views
    return [Row("dataset in memory, 4 trials", "", f"{copies:.2f} copies", None, "1 copy", met)]


def _shares_of_readers(path: Path, n: int) -> list[int]:
    """Return each process's part of the images' memory after all have read them."""
    context = multiprocessing.get_context("spawn")
    all_there, found = context.Barrier(n), context.SimpleQueue()
    readers = [context.Process(target=_read, args=(path, all_there, found)) for _ in range(n)]
    for reader in readers:
        reader.start()
    shares = [found.get() for _ in readers]
    for reader in readers:
        reader.join()
    return shares


def _read(path: Path, all_there: Barrier, found: "SimpleQueue[int]") -> None:
    """Make the batches of an epoch as a training does."""
    keep_freed_memory()
    _read_batches(random_dataset())  # allocates everything else that a process needs once
    before = _private()
    data = open_store(path)
    _read_batches(data)
    # All processes have read the images before one measures, and all have measured before one ends: the
    # system divides shared pages by the number of processes that map them.
    all_there.wait(timeout=120)
    share = _share(path) + _private() - before
    all_there.wait(timeout=120)
    found.put(share)


def _read_batches(data: FactorDataset) -> None:
    sampler = DomainBatchSampler(data.domain, 4, 32, seed=0)
    every, augment = np.arange(len(data.domain)), Augment(("horizontal_flip",))
    draws, cpu = Draws(views=1), torch.device("cpu")
    for batch in Batches(data, every, sampler, augment, lambda n: draws, cpu, resident=True).of_epoch(0, 0):
        batch.views()


def _private() -> int:
    """Return the bytes of this process that belong to no file and no other process (Linux)."""
    rollup = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return int(next(line for line in rollup if line.startswith("Pss_Anon:")).split()[1]) * 1024


def _share(path: Path) -> int:
    """Return the mapped bytes of a file; bytes that n processes map count as an nth (Linux)."""
    share, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if not line.split()[0].endswith(":"):
            inside = line.endswith(str(path))
        elif inside and line.startswith("Pss:"):
            share += int(line.split()[1]) * 1024
    return share
