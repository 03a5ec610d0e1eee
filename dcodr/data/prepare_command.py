"""The steps that all commands of ``python -m dcodr data prepare`` share."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from dcodr.console import note, progress_bar
from dcodr.data.dataset import RawDataset
from dcodr.data.facts import print_facts, store_facts
from dcodr.data.sources.images import Progress
from dcodr.errors import UserError
from dcodr.files import default_store
from dcodr.seeds import MAX_SEED

Out = Annotated[Path | None, typer.Option(help="File to write.", show_default="data/NAME.h5")]
Seed = Annotated[
    int, typer.Option(min=0, max=MAX_SEED, help="Seed of the train, validation and test splits.")
]
DrawSeed = Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Seed of the draw and of the splits.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")]


def prepare_store(
    name: str, out: Path | None, force: bool, seed: int, read: Callable[[Progress], RawDataset]
) -> None:
    """Read a dataset, write its store with a progress bar, and print facts about the store."""
    from dcodr.data.prepare import prepare
    from dcodr.data.resume import partial_folder
    from dcodr.data.store import open_store

    path = out or default_store(name)
    if path.is_dir():
        raise UserError(f"{path} is a folder: give a file with --out")
    if path.exists() and not force:
        raise UserError(f"{path} exists: give another file with --out, or replace it with --force")
    start = time.perf_counter()
    try:
        with progress_bar(name) as on_progress:
            prepare(path, read(on_progress), seed, note)
    except BaseException:
        if (partial := partial_folder(path)).exists():
            note(f"{partial} keeps the images that are done: the same command continues")
        raise
    seconds = time.perf_counter() - start
    print_facts(store_facts(open_store(path), path), {"prepared in": f"{seconds:.1f} s"})
