"""Encoders of the front's best trials as registered models of MLflow."""

import logging
import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dcodr.data.remote import open_dataset
from dcodr.errors import UserError
from dcodr.files import CHECKPOINT
from dcodr.models.encoder import Encoder
from dcodr.models.image_encoder import ImageEncoder, traced
from dcodr.training.checkpoint import load_checkpoint, trained_encoder
from dcodr.training.encoder_file import read_encoder, write_encoder
from dcodr.training.origin import Measured, Origin
from dcodr.versions import versions
from tuning.ledger.trials import TrialRecord, kept_of
from tuning.results.results import Results
from tuning.results.search import Search
from tuning.tracking.descriptions import of_model, of_version
from tuning.tracking.registry import Registry
from tuning.tracking.store import uri_of
from tuning.tracking.tracker import FOLDER, IDENTITY, Tracker

ALIASES = {
    "invariance": "most-invariant",
    "informativeness": "most-informative",
    "image_informativeness": "most-informative",
}
"""Alias of the best trial in an objective; for other objectives ``best-OBJECTIVE``, with dashes in place of
characters that MLflow does not allow."""
WEIGHTS = "encoder.safetensors"
"""The file of a registered model that ``load_model`` reads."""
DIGESTS = "encoder_sha256"
"""The fact of the ledger that holds the SHA-256 of that file, by alias."""
UNREGISTERED = (
    ": the encoders of this search are not registered. Rename its folder, and run 'python -m tuning doctor "
    "NAME --fix' with the new name"
)
"""The consequence of :func:`taken`, and what to do."""
_URI = re.compile(r"models:/(?P<name>[^/@]+)@(?P<alias>[^/@]+)")


def chosen(results: Results) -> dict[str, TrialRecord]:
    """Return the trials whose encoders are registered, by alias: best trade-off, best in each objective."""
    aliases = {"knee": results.best_tradeoff}
    for i, name in enumerate(results.space.objectives):
        alias = ALIASES.get(name) or re.sub(r"[^\w-]+", "-", f"best-{name}")
        aliases[f"{alias}-{i}" if alias in aliases else alias] = results.best(name)
    return aliases


def taken(tracker: Tracker, folder: Path, identity: str = "") -> str | None:
    """Describe another search whose encoders are registered under a search's name; ``None`` if none is.

    A search that had the same folder is no other: it was deleted, and the new one replaces its models.

    Args:
        tracker: The store.
        folder: The folder of the search, which has its name.
        identity: The identity of the search; a search that has not begun has none yet.
    """
    run = Registry(tracker).search_of(folder.name)
    if run is None or identity in (run.data.tags.get(IDENTITY), run.info.run_id):
        return None
    theirs = run.data.tags.get(FOLDER)
    if theirs == str(folder.resolve()):
        return None
    of = f"of another search, {theirs}" if theirs else "of another program"
    return f"MLflow's registered model {folder.name!r} is {of} (run {run.info.run_id})"


def register(search: Search, tracker: Tracker) -> list[str]:
    """Register the encoders of the best trials of a front as versions of a model with the search's name.

    ``mlflow.pyfunc.load_model("models:/SEARCH@knee").predict(images)`` maps uint8 RGB images ``(B, H, W, 3)``
    of any size to codes (embeddings) ``(B, d)``; it crops and resizes them as ``embed`` does. Loading by
    MLflow runs code from the model's files; :func:`load_model` runs none. An alias that already points to its
    trial's version is kept. The model of another search of this name is left as it is.

    Returns:
        A sentence about each encoder that is not registered.
    """
    if (other := taken(tracker, search.folder, search.identity)) is not None:
        return [f"{other}{UNREGISTERED}"]
    kept = _kept(search)
    for number, aliases in unregistered(search, tracker).items():
        (run, *_) = tracker.trial_runs(number)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "encoder"
            # The file replaces that of the trial's other aliases, too.
            digests = dict.fromkeys(kept[number], save(kept_of(search.folder, number) / CHECKPOINT, folder))
            # The digest comes first: an encoder in MLflow without a digest could not be loaded safely.
            search.ledger.remember(DIGESTS, search.ledger.facts().get(DIGESTS, {}) | digests)
            record = search.ledger.record(number)
            about = {alias: of_version(search.name, alias, record, search.space) for alias in aliases}
            model = of_model(search.name, search.space)
            Registry(tracker).register(search.name, model, about, run.run_id, folder)
    lacking = {*chosen(search.results())} - {alias for aliases in kept.values() for alias in aliases}
    return [f"MLflow has no model @{one}: the encoder of its trial was not kept" for one in sorted(lacking)]


def unregistered(search: Search, tracker: Tracker) -> dict[int, list[str]]:
    """Return the aliases of a front, by trial, that do not point to their encoder or have no digest."""
    lacking, digests = {}, search.ledger.facts().get(DIGESTS, {})
    for number, aliases in _kept(search).items():
        runs = [run.run_id for run in tracker.trial_runs(number)]
        moving = [
            alias
            for alias in aliases
            if alias not in digests or Registry(tracker).run_of(search.name, alias) not in runs
        ]
        if moving:
            lacking[number] = moving
    return lacking


def doubled(search: Search, tracker: Tracker) -> list[str]:
    """Return the versions of the search's model that repeat another version and have no alias."""
    alike = defaultdict(list)
    for one in Registry(tracker).versions(search.name):
        if one.pick is not None:
            alike[one.run_id, one.pick].append(one)
    spare = []
    for same in alike.values():
        keep = next((one for one in same if one.aliased), same[0])
        spare += [one.version for one in same if one is not keep and not one.aliased]
    return spare


def _kept(search: Search) -> dict[int, list[str]]:
    """Return the aliases of the trials whose encoders were kept, by trial."""
    aliases = defaultdict(list)
    for alias, trial in chosen(search.results()).items():
        if (kept_of(search.folder, trial.number) / CHECKPOINT).is_file():
            aliases[trial.number].append(alias)
    return dict(aliases)


def load_model(uri: str, *, storage: str | Path = "runs", tracking_uri: str | None = None) -> Encoder:
    """Load a registered encoder without running code from its files.

    Weights and config are read from safetensors. The file is compared with the SHA-256 digest that the
    search's ledger recorded at the registration, so that no one with write access to MLflow's store can
    replace the encoder.

    Args:
        uri: ``models:/SEARCH@ALIAS``, e.g. ``models:/augs@knee``.
        storage: Folder of all searches, including the ledger of this one.
        tracking_uri: MLflow's tracking URI; by default ``MLFLOW_TRACKING_URI``, or else that of the search.

    Returns:
        The encoder, on the CPU and in evaluation mode. It maps images ``(B, 3, H, W)``, float in [0, 1], to
        codes ``(B, code_dim)`` of length 1.

    Raises:
        UserError: If there is no such search or model, its file was changed, or MLflow does not answer.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise UserError(f"{uri!r}: should be models:/SEARCH@ALIAS, e.g. models:/augs@knee")
    name, alias = match["name"], match["alias"]
    search = Search.open(name, storage)
    digests = search.ledger.facts().get(DIGESTS, {})
    if alias not in digests:
        known = ", ".join(f"@{one}" for one in digests) or "none"
        raise UserError(
            f"{uri}: the ledger of {name!r} in {storage} has no encoder of this alias; it has: {known}"
        )
    uri_of_store = (
        tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or uri_of(search.ledger.facts(), Path(storage))
    )
    with tempfile.TemporaryDirectory() as folder:
        copy = Registry(Tracker(uri_of_store)).fetch(name, alias, WEIGHTS, Path(folder))
        encoder = read_encoder(copy, digests[alias])
    encoder.origin = _with_test(encoder.origin, search.ledger.records())
    return encoder


def _with_test(origin: object, records: Iterable[TrialRecord]) -> object:
    """Add the test metrics of the trial with an origin's validation metrics, if the ledger has any."""
    if not isinstance(origin, Origin) or not origin.measured:
        return origin
    (validation, *_) = origin.measured
    for record in records:
        if record.test and record.metrics == validation.metrics:
            fingerprint = origin.fingerprint or ""
            test = Measured("test", "paper", fingerprint, record.test, record.test_intervals)
            return replace(origin, measured=(*origin.measured, test))
    return origin


def save(checkpoint: Path, folder: Path) -> str:
    """Write a checkpoint's encoder to a new folder, as a TorchScript graph and as plain weights.

    The graph takes uint8 images and prepares them itself, see ``ImageEncoder``. It is always in evaluation
    mode.

    Returns:
        The digest of the weights' file.
    """
    import mlflow.pytorch
    import numpy as np
    import torch
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    read = load_checkpoint(checkpoint)
    encoder = trained_encoder(read)
    if encoder.image_size is None:  # a checkpoint of an earlier version
        encoder.image_size = open_dataset(read.config).image_size
    images = TensorSpec(np.dtype("uint8"), (-1, -1, -1, 3))
    codes = TensorSpec(np.dtype("float32"), (-1, read.config.encoder.code_dim))
    # All sizes differ, see `traced`.
    example = np.random.default_rng(0).integers(0, 256, (2, 24, 40, 3), dtype=np.uint8)
    whole = ImageEncoder(encoder, encoder.image_size, encoder.fit).eval()
    # PyTorch refuses `.eval()` of graphs by torch.export, MLflow's other format.
    with _silent(logging.getLogger("mlflow.pytorch")):  # it warns of pickles, but a TorchScript graph is none
        mlflow.pytorch.save_model(
            traced(whole, torch.from_numpy(example)),
            str(folder),
            signature=ModelSignature(Schema([images]), Schema([codes])),
            input_example=example,
            serialization_format="pickle",
            pip_requirements=[f"torch=={versions()['torch']}"],
        )
    # MLflow would choose a GPU if there is one, but the graph makes its tensors on the CPU.
    model = Model.load(str(folder))
    model.flavors["python_function"]["config"]["device"] = "cpu"
    model.save(str(folder / "MLmodel"))
    return write_encoder(folder / WEIGHTS, encoder, read.config)


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
