"""Reports of a training's codes as JSON files beside its checkpoint."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dcodr.errors import UserError
from dcodr.evaluation.judges import Verdicts
from dcodr.files import write_text
from dcodr.training.origin import Measured, Origin

_MEASURED = TypeAdapter(Measured)
REPORT_KEYS = ("split", "judge", "fingerprint", "epochs")
"""Keys that say of what and how the metrics were measured; reports of earlier versions lack them."""


def write_measured(
    path: Path,
    measured: Measured,
    epochs: int,
    unmeasured: tuple[str, ...] = (),
    verdicts: Verdicts | None = None,
) -> str:
    """Write metrics as JSON and return the text.

    Raises:
        UserError: If the file cannot be written.
    """
    content: dict[str, Any] = {
        **_MEASURED.dump_python(measured, mode="json"),
        "unmeasured": unmeasured,
        "epochs": epochs,
    }
    if verdicts is not None:
        content["judges"] = {"metrics": verdicts.metrics, "strongest": verdicts.strongest}
    text = json.dumps(content, indent=2) + "\n"
    write_text(path, text)
    return text


def read_measured(path: Path, epochs: int | None) -> Measured:
    """Read the metrics that :func:`write_measured` wrote of a training of ``epochs``, if they are known.

    Raises:
        UserError: If the file is damaged, was written by an earlier version, or is of another training.
    """
    again = "measure again with `python -m dcodr evaluate`"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, Mapping):
            raise ValueError("it is not a mapping")
        if lacking := [key for key in REPORT_KEYS if key not in content]:
            raise UserError(f"{path} lacks {' and '.join(lacking)}: an earlier version wrote it; {again}")
        measured = _MEASURED.validate_json(json.dumps(content))
    except UserError:
        raise
    except (OSError, ValueError, ValidationError) as error:
        raise UserError(f"{path}: damaged, or not a report of dcodr ({str(error).splitlines()[0]})") from None
    if epochs is not None and content["epochs"] != epochs:
        raise UserError(f"{path} is of {content['epochs']} epochs, the training now has {epochs}; {again}")
    return measured


def with_reports(origin: Origin, folder: Path, warn: Callable[[str], object]) -> Origin:
    """Add the metrics of the reports in a training's folder to its origin, whose own metrics stay.

    ``warn`` is called with the reason if a report cannot be used.
    """
    measured = {(one.split, one.judge, one.fingerprint): one for one in origin.measured}
    usual = [folder / "validation.json", folder / "test.json"]
    others = [*sorted(folder.glob("validation-*.json")), *sorted(folder.glob("test-*.json"))]
    for file in filter(Path.is_file, [*usual, *others]):
        try:
            one = read_measured(file, origin.epochs)
        except UserError as error:
            warn(str(error))
        else:
            measured.setdefault((one.split, one.judge, one.fingerprint), one)
    return replace(origin, measured=tuple(measured.values()))
