"""The encoders of the front's best trials, as registered models of MLflow."""

import tempfile
from collections import defaultdict
from pathlib import Path

from dcodr.checkpoint import load_checkpoint, trained_encoder
from dcodr.files import CHECKPOINT
from tuning.export import versions
from tuning.search import Search
from tuning.tracking import Tracker
from tuning.trials import TrialRecord, kept_of

ALIASES = {
    "invariance": "most-invariant",
    "informativeness": "most-informative",
    "image_informativeness": "most-informative",
}
"""Of the best trial in an objective; of others ``best-OBJECTIVE``."""


def chosen(search: Search) -> dict[str, TrialRecord]:
    """The trials whose encoders are registered, by alias: the knee, and the best in each objective."""
    best = {ALIASES.get(name, f"best-{name}"): search.best(name) for name in search.space.objectives}
    return {"knee": search.knee(), **best}


def register(search: Search, tracker: Tracker) -> list[str]:
    """Register the encoders of the best trials as versions of a model of the search's name.

    ``mlflow.pytorch.load_model("models:/SEARCH@knee")`` loads one: a module that maps float images
    ``(B, 3, H, W)`` in [0, 1] to codes ``(B, d)``. An alias that is at its trial's version already stays.

    Args:
        search: A search with a front.
        tracker: The store that its runs are in.

    Returns:
        The aliases whose encoders were kept, and so are registered.
    """
    kept = _kept(search)
    for number, aliases in unregistered(search, tracker).items():
        (run, *_) = tracker.trial_runs(number)
        with tempfile.TemporaryDirectory() as folder:
            _save(kept_of(search.folder, number) / CHECKPOINT, Path(folder) / "encoder")
            tracker.register_model(search.name, aliases, run.run_id, Path(folder) / "encoder")
    return [alias for aliases in kept.values() for alias in aliases]


def unregistered(search: Search, tracker: Tracker) -> dict[int, list[str]]:
    """Return the aliases, by trial, that are not at the encoder that they should be at.

    Args:
        search: A search with a front.
        tracker: The store that its runs are in.
    """
    lacking = {}
    for number, aliases in _kept(search).items():
        runs = [run.run_id for run in tracker.trial_runs(number)]
        moving = [alias for alias in aliases if tracker.model_run(search.name, alias) not in runs]
        if moving:
            lacking[number] = moving
    return lacking


def doubled(search: Search, tracker: Tracker) -> list[str]:
    """Return the versions of the search's model that repeat another one, and that no alias is at.

    Args:
        search: The search.
        tracker: The store that its runs are in.
    """
    alike = defaultdict(list)
    for one in tracker.model_versions(search.name):
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
    for alias, trial in chosen(search).items():
        if (kept_of(search.folder, trial.number) / CHECKPOINT).is_file():
            aliases[trial.number].append(alias)
    return dict(aliases)


def _save(checkpoint: Path, folder: Path) -> None:
    """Write an encoder as a traced graph: loading it runs no code of the file, and needs none of ours."""
    import mlflow.pytorch
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    encoder = trained_encoder(load_checkpoint(checkpoint))
    images, codes = (TensorSpec(np.dtype("float32"), shape) for shape in ((-1, 3, -1, -1), (-1, -1)))
    mlflow.pytorch.save_model(
        encoder,
        str(folder),
        signature=ModelSignature(Schema([images]), Schema([codes])),
        input_example=np.zeros((2, 3, 64, 64), np.float32),
        serialization_format="pt2",
        pip_requirements=[f"torch=={versions()['torch']}"],
    )
