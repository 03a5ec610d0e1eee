"""Descriptions in MLflow: of a search that has begun, of trials, of registered models and their versions."""

from collections.abc import Mapping

from dcodr.tables import markdown_table
from dcodr.words import counted
from tuning.ledger.trials import TrialRecord
from tuning.space import Space
from tuning.space.words import label
from tuning.tracking.metrics import SUMMARIES

DESCRIPTION = "mlflow.note.content"
"""The tag that MLflow shows as Markdown on a run's page."""
ALIASES: Mapping[str, str] = {
    "knee": "the best trade-off",
    "most-invariant": "the best in invariance",
    "most-informative": "the best in informativeness",
}
"""Aliases of a registered model in words; the others name their objective."""


def of_search(name: str, space: Space) -> str:
    """Describe a search that has begun; its results replace this text at its end."""
    objectives = " and ".join(f"{direction} {name}" for name, direction in space.objectives.items())
    return (
        f"A search for settings of `{space.base.method}` on `{space.base.dataset}`: {objectives}, in up to "
        f"{counted(space.search.trials, 'trial')}. `python -m tuning status {name}` shows its results so far."
    )


def of_trial(record: TrialRecord, space: Space) -> str:
    """Describe a trial that has ended: its end, training and metrics, and the way to its encoder."""
    parts = [_ending(record, space), f"**Trained**: {_trained(record, space)}."]
    if record.metrics:
        parts += [_metrics(record, space)]
    parts += [
        "To train it again, save the artifact `config.yaml`; then the encoder can be exported:\n\n"
        "    python -m dcodr train --config config.yaml --out trained\n"
        "    python -m dcodr export trained --onnx encoder.onnx"
    ]
    return "\n\n".join(parts)


def of_model(name: str, space: Space) -> str:
    """Describe the registered model of a search."""
    return (
        f"Encoders of the search `{name}` for `{space.base.method}` on `{space.base.dataset}`: the best "
        "trade-off (`@knee`) and the best trial in each objective. uint8 images `(B, H, W, 3)` of any "
        "size to "
        f"codes `(B, {space.base.encoder.code_dim})`.\n\n{_use(name, 'knee')}"
    )


def of_version(name: str, alias: str, record: TrialRecord, space: Space) -> str:
    """Describe a version of the registered model of a search."""
    kind = ALIASES.get(alias, alias.replace("-", " "))
    return "\n\n".join(
        (
            f"The encoder of trial {record.number:03d} of the search `{name}`, {kind}.",
            f"**Trained**: {_trained(record, space)}.",
            _metrics(record, space),
            _use(name, alias),
        )
    )


def _ending(record: TrialRecord, space: Space) -> str:
    epochs = f"{record.epoch} of {counted(space.config(record.values).epochs, 'epoch')}"
    because = f": {record.reason}" if record.reason else ""
    match record.status:
        case "pruned":
            return (
                f"**Stopped early** after {epochs}: its metrics are those of its last evaluation, and it "
                "does not "
                "compete for the front."
            )
        case "infeasible":
            return f"**Infeasible** after {epochs}{because}"
        case "failed":
            return f"**Failed** after {epochs}{because}"
        case "interrupted":
            return f"**Interrupted** after {epochs}{because}"
        case _:
            return f"**Trained to the end**, {epochs}"


def _trained(record: TrialRecord, space: Space) -> str:
    config = space.config(record.values)
    return f"`{config.method}` on `{config.dataset}`, {label(record.values)}, seed {record.seed}"


def _metrics(record: TrialRecord, space: Space) -> str:
    """Return a table of the objectives and of the summaries; only what was measured is in it."""
    names = [name for name in dict.fromkeys((*space.objectives, *SUMMARIES)) if name in record.metrics]
    rows = []
    for name in names:
        low, high = record.intervals.get(name, (None, None))
        interval = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
        test = f"{record.test[name]:.3f}" if name in record.test else "not measured"
        rows.append([name, f"{record.metrics[name]:.3f}", interval, test])
    return markdown_table(["metric", "validation, fast probe", "95 % interval", "test, paper's probe"], rows)


def _use(name: str, alias: str) -> str:
    uri = f"models:/{name}@{alias}"
    return (
        "From the folder that holds the search's `runs`:\n\n"
        f"    python -m dcodr embed {uri} --images FOLDER --out codes.parquet\n"
        f"    python -m dcodr export {uri} --onnx encoder.onnx\n\n"
        "These commands, and `dcodr.load`, read plain weights, check them against the digest in the search's "
        f'ledger, and run nothing. `mlflow.pyfunc.load_model("{uri}").predict(images)` and '
        f'`mlflow.pytorch.load_model("{uri}").eval()` need PyTorch and MLflow '
        "alone, but loading with MLflow runs code from the model's files: do so only if you trust whoever "
        "can "
        "write to this store."
    )
