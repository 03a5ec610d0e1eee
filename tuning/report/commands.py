"""Commands that reproduce a search and its best configs."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from dcodr.config import with_absolute_paths
from dcodr.errors import UserError
from dcodr.yaml_core import dump_yaml
from tuning.results.results import CONFIGS, Results
from tuning.space import Space, load_space
from tuning.space.checks import FIXED_SETTINGS
from tuning.space.shipped import program

LIMITS = ("trials", "time_budget", "seed")
"""Settings of a search that have options of their own."""


def space_text(results: Results) -> str:
    """Return the text of the space file as it was written; empty if the search has none."""
    path = results.folder / "space.yaml"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def commands(results: Results) -> list[tuple[str, str]]:
    """Return the purpose and the text of each command."""
    name, allowed = results.name, results.space.permission
    tuning, storage = ["python", "-m", "tuning"], ["--storage", str(results.folder.parent)]
    found = [
        ("Continue this search", f"{_search_again(results, name)} --resume{allowed}"),
        ("Search again, from the start", _search_again(results, f"{name}-again") + allowed),
        ("Export the front", shlex.join([*tuning, "export", name, "--pick", "all-front", *storage])),
    ]
    if results.front:
        config = shlex.quote(str(results.folder / CONFIGS / results.config_file(results.best_tradeoff)))
        train = f"python -m dcodr train --config {config} --out trained{allowed}"
        found += [
            ("Train the best trade-off", train),
            ("Test what was trained", f"python -m dcodr evaluate trained{allowed}"),
        ]
    return [*found, ("This page", shlex.join([*tuning, "report", name, *storage]))]


def caveat(results: Results) -> str | None:
    """Return a warning if the command to search again would not make the same space; else ``None``."""
    kept = results.folder / "space.yaml"
    try:
        options = _options(results)
        again = load_space(kept, **options)
    except UserError as error:
        return f"The space file that was kept with the search does not load by itself: {error}"
    if _comparable(again) != _comparable(results.space):
        return (
            "The command lacks some changes that were made to the space file; the exported configs have all."
        )
    return None


def _search_again(results: Results, name: str) -> str:
    """Return the command that makes a search's space from its space file, if options can express it."""
    words = [*program(), "--space", str(results.folder / "space.yaml"), "--name", name]
    words += ["--storage", str(results.folder.parent)]
    uri = str(results.facts.get("tracking_uri") or "")
    if uri and not (uri.startswith("sqlite:") and uri.endswith("/mlflow.db")):  # not the default
        words += ["--tracking-uri", uri]
    try:
        options = _options(results)
    except UserError:
        return shlex.join(words)
    for option in ("dataset", "data"):
        words += [f"--{option}", options[option]] if options[option] is not None else []
    for key, value in options["settings"].items():
        words += ["--set", f"{key}={dump_yaml(value, one_line=True)}"]
    for key, value in options["search"].items():
        words += [f"--{key.replace('_', '-')}", f"{value}"]
    return shlex.join(words)


def _options(results: Results) -> dict[str, Any]:
    """Return the arguments with which ``load_space`` makes the search's space from the kept file."""
    kept, space = results.folder / "space.yaml", results.space
    file = load_space(kept)
    dataset = space.base.dataset if space.base.dataset != file.base.dataset else None
    # Another dataset brings its own preset, so settings are compared with those of that preset.
    file = load_space(kept, dataset=dataset)
    settings = dict(_settings(file, space))
    limits = {
        key: value
        for key in LIMITS
        if (value := getattr(space.search, key)) not in (None, getattr(file.search, key))
    }
    data = space.base.data if space.base.data != file.base.data else None
    return {"dataset": dataset, "data": data, "settings": settings, "search": limits}


def _settings(file: Space, space: Space) -> Iterator[tuple[str, Any]]:
    """Yield key and value of the settings that were fixed on the command line."""
    there, here = _leaves(file.base.model_dump(mode="json")), _leaves(space.base.model_dump(mode="json"))
    for key, value in here.items():
        dropped = key in file.params and key not in space.params
        if dropped or (key not in {*FIXED_SETTINGS} - {"seed"} and value != there.get(key)):
            yield key, value
    for part in ("resources", "search"):
        there, here = (getattr(one, part).model_dump(mode="json") for one in (file, space))
        yield from (
            (f"{part}.{key}", value)
            for key, value in here.items()
            if value != there[key] and (key not in LIMITS or value is None)
        )


def _leaves(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in settings.items():
        nested = isinstance(value, Mapping) and value
        leaves |= _leaves(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return leaves


def _comparable(space: Space) -> dict[str, Any]:
    return space.model_copy(update={"base": with_absolute_paths(space.base)}).model_dump(
        exclude={"name", "text", "constant_answers"}
    )
