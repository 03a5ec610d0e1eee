"""Resolution of a space file: its base, parameters and settings, checked against one another."""

from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from dcodr.config import PRESETS, Config, merged, nested, override, read_config
from dcodr.errors import UserError
from dcodr.mistakes import Mistakes
from dcodr.strict_yaml import UNKNOWN_KEY, Key, YamlFile, without
from tuning.space.checks import (
    OWN,
    dotted_keys,
    refused,
    unknown_param,
    wrong_paper_with,
    wrong_param,
    wrong_scheduler,
)
from tuning.space.given import Setting, python_content
from tuning.space.objectives import wrong_objectives
from tuning.space.outside import not_allowed
from tuning.space.params import Param, SubsetParam
from tuning.space.settings import Resources, SearchSettings, WarmStart
from tuning.space.space_file import Base, SpaceFile


def resolve(
    file: YamlFile,
    folder: Path,
    options: Mapping[str, str | None],
    settings: Sequence[Setting],
    search: Mapping[str, Any],
    wrong: Mistakes,
    dashes: str,
) -> dict[str, Any]:
    """Resolve the content of a space, and return the fields of its `Space` besides the name.

    Args:
        file: The content.
        folder: Folder where its relative paths begin.
        options: ``dataset`` and ``data``, which replace the file's.
        settings: Further settings that replace the file's.
        search: Values that replace the file's ``search`` settings; ``None`` keeps the file's.
        wrong: The mistakes so far.
        dashes: The dashes before an option's name, in messages to users of the command line.

    Raises:
        UserError: If there are mistakes; see :func:`tuning.space.load_space`.
    """
    # 1. Read the file without its invalid parts: mistakes are collected, and the rest is still checked.
    wrong.independent = [*_independent(file)]
    content = _valid_part(file, wrong)
    before = len(wrong.found)
    # 2. Resolve the base: the file's, then the options, then the settings. Later ones replace earlier ones.
    base = _base(content.base, file, folder, options["dataset"], wrong)
    for option, value in options.items():
        if value is not None:
            with wrong.collected(last=True):
                base = _replaced(base, {"data": None, option: value}, f"{dashes}{option} {value}")
    base, params, resources, changes = _fixed(
        base, content, settings, wrong, "--set" if dashes else "settings:"
    )
    if not params:
        wrong.found.append(UserError(f"{file.source}: nothing is left to search"))
    # 3. Check early stopping, search settings, parameters and objectives against the resolved base.
    how = content.search.model_copy(update={"warm_start": absolute_paths(content.search.warm_start, folder)})
    with wrong.collected():
        given = {key: value for key, value in search.items() if value is not None}
        changed = python_content(merged(how.model_dump(exclude_unset=True), changes) | given, "search")
        how = changed.validate(SearchSettings)
    if len(wrong.found) == before and (message := wrong_scheduler(how, base)):
        if "scheduler" in how.model_fields_set:
            wrong.found.append(file.error(("search", "scheduler"), message))
        else:
            how = how.model_copy(update={"scheduler": None})
    if found := list(wrong_paper_with(base, content.params, how.warm_start.paper_with)):
        wrong.found += [file.error(at, message) for at, message in found]
        wrong.refuse()  # the baseline, which the parameters must allow, is unknown
    for key, param in params.items():
        for at, message in wrong_param(key, param, base, content.params, content.base.overrides, how):
            wrong.found.append(file.error(("params", *at), message))
    wrong_together = [
        *wrong_objectives(content.objectives, how.preference),
        *not_allowed(base, params, content.objectives, how),
    ]
    for at, message in wrong_together:
        new = _source(at, settings)
        wrong.found.append(UserError(f"{new.said}: {message}") if new else file.error(at, message))
    wrong.refuse()
    return {
        "base": base,
        "params": params,
        "objectives": content.objectives,
        "search": how,
        "resources": resources,
        "text": file.text,
    }


_JUDGES: tuple[Key, ...] = (("base",), ("params", "method"), ("search", "warm_start"))
"""Keys on which the checks of the rest of a space file depend."""


def _independent(file: YamlFile) -> Iterator[UserError]:
    """Yield mistakes of parameters, objectives and overrides that do not depend on the rest of the file."""

    def part(*key: str) -> Mapping[str, Any]:
        node: Any = file.data
        for name in key:
            node = node.get(name) if isinstance(node, Mapping) else None
        return node if isinstance(node, Mapping) else {}

    for key, message in refused(Config(), part("base", "overrides")):
        if key:
            yield file.error(("base", "overrides", *key), message)
    for name in part("params"):
        # Settings of a method of one's own depend on the base.
        if not name.startswith(f"{OWN}.") and (unknown := unknown_param(name, Config())) is not None:
            yield file.error(("params", name), unknown)
    for at, message in wrong_objectives(part("objectives"), ()):
        yield file.error(at, message)


def _valid_part(file: YamlFile, wrong: Mistakes) -> SpaceFile:
    """Return the space file without its invalid parts, and collect their mistakes.

    Raises:
        UserError: If the rest cannot be checked.
    """
    data, found = file.data, file.mistakes(SpaceFile)
    wrong.found += [file.error(key, message) for key, message in found.items()]
    if any(key[: len(judge)] == judge for key in found for judge in _JUDGES):
        wrong.refuse()
    # The models check a part as a whole only if they know all its keys: check again without unknown ones.
    if unknown := [key for key, message in found.items() if message.startswith(UNKNOWN_KEY)]:
        data = without(data, unknown)
        found |= (more := YamlFile(file.source, data, {}).mistakes(SpaceFile))
        wrong.found += [file.error(key, message) for key, message in more.items()]
    # Removing a part may make another one invalid, e.g. one that names it: repeat until all is valid.
    while found:
        before, data = data, without(data, found)
        if data == before:
            wrong.refuse()
        found = YamlFile(file.source, data, {}).mistakes(SpaceFile)
    return SpaceFile.model_validate(data)


def _base(base: Base, file: YamlFile, folder: Path, dataset: str | None, wrong: Mistakes) -> Config:
    """Return the base config without invalid overrides, and collect their mistakes.

    Raises:
        UserError: If the rest cannot be checked.
    """
    bad: list[Key] = []

    def complain(key: Key, message: str) -> UserError:
        bad.append(key)
        return file.error(("base", "overrides", *key), message)

    for key in ("threads", "device"):
        if key in base.overrides:
            wrong.found.append(file.error(("base", "overrides", key), "is set by resources: remove it here"))
    with wrong.collected(last=True):
        start = _start(base, file, folder, dataset)
    try:
        return override(start, base.overrides, complain)
    except UserError as error:
        wrong.found.append(error)
    if any(key in ((), ("method",)) for key in bad):
        wrong.refuse()
    try:
        return override(start, without(base.overrides, bad), complain)
    except UserError as error:
        raise UserError.of([*wrong.found, error]) from None


def _start(base: Base, file: YamlFile, folder: Path, dataset: str | None) -> Config:
    """Return the config that ``base.overrides`` change: a config, or a preset, of ``dataset`` if given."""
    if isinstance(base.config, Mapping):
        return override(Config(), base.config, lambda key, text: file.error(("base", "config", *key), text))
    if base.config is not None:
        return read_config(folder / base.config)[0]
    return PRESETS[base.preset or "paper"] if dataset is None else PRESETS.get(dataset, PRESETS["paper"])


def _fixed(
    base: Config, content: SpaceFile, settings: Sequence[Setting], wrong: Mistakes, source: str
) -> tuple[Config, dict[str, Param], Resources, dict[str, Any]]:
    """Return base, parameters, resources and changes of the search settings; collect mistakes."""
    params, resources = dict(content.params), content.resources
    changes: dict[str, dict[str, Any]] = {"resources": {}, "search": {}}
    for new in settings:
        part, _, inner = new.key.partition(".")
        if part in changes and inner:
            changes[part] = merged(changes[part], nested(inner, new.value))
            continue
        # The method decides which settings have an effect: nothing can be checked without it.
        with wrong.collected(last=new.key == "method"):
            content_of = nested(new.key, new.value)
            base = _replaced(base, python_content(content_of, new.said).data, new.said)
            fixed = {new.key, *dotted_keys(content_of)}
            params = {
                name: _without_strengths(param, fixed) for name, param in params.items() if name not in fixed
            }
    with wrong.collected():
        changed = python_content(merged(resources.model_dump(), changes["resources"]), f"{source} resources")
        resources = changed.validate(Resources)
    share = {"threads": resources.cpus_per_trial, "device": "cuda" if resources.gpus_per_trial else "cpu"}
    return base.model_copy(update=share), params, resources, changes["search"]


def _source(at: Key, settings: Sequence[Setting]) -> Setting | None:
    """Return the setting that gave the value at a place of the file; ``None`` if the file did."""
    key = ".".join(map(str, at)).removeprefix("base.overrides.")
    return next((new for new in reversed(settings) if f"{key}.".startswith(f"{new.key}.")), None)


def _replaced(base: Config, new: Mapping[str, Any], option: str) -> Config:
    """Return a config with given settings."""
    return override(base, new, lambda _, message: UserError(f"{option}: {message}"))


def _without_strengths(param: Param, keys: Set[str]) -> Param:
    """Return a parameter without the searched strengths at dotted keys of the config."""
    if not isinstance(param, SubsetParam):
        return param
    strengths = {
        member: {name: p for name, p in params.items() if f"strengths.{member}.{name}" not in keys}
        for member, params in param.strengths.items()
    }
    return param.model_copy(update={"strengths": strengths})


def absolute_paths(warm_start: WarmStart, folder: Path) -> WarmStart:
    """Return first trials with absolute paths, which do not depend on the working folder."""

    def absolute(path: str) -> str:
        return str((folder / path).resolve())

    return warm_start.model_copy(
        update={
            "configs": tuple(map(absolute, warm_start.configs)),
            "searches": tuple(map(absolute, warm_start.searches)),
            "ranking": warm_start.ranking and absolute(warm_start.ranking),
        }
    )
