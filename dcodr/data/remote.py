"""Datasets at a URI: downloaded once per machine, then opened like any other."""

import shutil

import fsspec
from filelock import FileLock

from dcodr.config import Config
from dcodr.data.dataset import FactorDataset
from dcodr.data.store import open_store
from dcodr.errors import UserError
from dcodr.files import appearing, is_uri, writing


def open_dataset(config: Config) -> FactorDataset:
    """Open the dataset of a config; download it first if it is at a URI and not on this machine.

    If several processes need it at the same time, one downloads it and the others wait. A URI is one that
    fsspec supports (``s3://``, ``gs://``, ``https://``).

    Raises:
        UserError: If it cannot be downloaded, or is not a valid store.
    """
    if is_uri(config.data) and not config.store.is_file():
        with writing(config.store):
            config.store.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(config.store.with_suffix(".lock")):  # released even if the process is killed
            # Another process may have downloaded it while this one waited for the lock.
            if not config.store.is_file():
                _fetch(config)
    return open_store(config.store)


def _fetch(config: Config) -> None:
    try:
        with fsspec.open(config.data, "rb") as source, appearing(config.store) as temporary:
            with temporary.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            # Checked before it stays: a server may have answered with an error page.
            try:
                open_store(temporary)
            except UserError as error:
                found = error.__cause__ or error
                raise UserError(f"data: {config.data} is not a prepared dataset: {found}") from error
    except UserError:
        raise
    except Exception as error:  # every file system of fsspec raises its own exceptions
        raise UserError(f"data: cannot fetch {config.data}: {type(error).__name__}: {error}") from error
