"""The encoders of the front's best trials, as registered models of MLflow."""

import re
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
"""Of the best trial in an objective; of others ``best-OBJECTIVE``, with dashes where MLflow asks for them."""


def chosen(search: Search) -> dict[str, TrialRecord]:
    """Return the trials whose encoders are registered, by alias: best trade-off, best in each objective."""
    aliases = {"knee": search.knee()}
    for i, name in enumerate(search.space.objectives):
        alias = ALIASES.get(name) or re.sub(r"[^\w-]+", "-", f"best-{name}")
        aliases[f"{alias}-{i}" if alias in aliases else alias] = search.best(name)
    return aliases


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
    aliases = defaultdict(list)
    for alias, trial in chosen(search).items():
        aliases[trial.number].append(alias)
    registered = []
    for number, of_trial in aliases.items():
        checkpoint = kept_of(search.folder, number) / CHECKPOINT
        if checkpoint.is_file():
            registered += of_trial
            (run, *_) = tracker.trial_runs(number)
            moving = [alias for alias in of_trial if tracker.model_run(search.name, alias) != run.run_id]
            if moving:
                with tempfile.TemporaryDirectory() as folder:
                    _save(checkpoint, Path(folder) / "encoder")
                    tracker.register_model(search.name, moving, run.run_id, Path(folder) / "encoder")
    return registered


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
