"""The search space: the whole experiment, in one YAML file or one mapping in Python."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast, get_args

from pydantic import Field, field_validator, model_validator

from dcodr.config import PRESETS, Config, merged, nested, override, read_config, setting
from dcodr.config.methods import MethodName
from dcodr.errors import UserError
from dcodr.plugins import full_name, is_outside
from dcodr.strict_yaml import UNKNOWN_KEY, Key, StrictModel, YamlFile, did_you_mean, read_yaml, without
from dcodr.yaml_core import dump_yaml
from tuning.pareto import Direction
from tuning.space.checks import (
    OWN,
    paper_value,
    refused,
    trained_methods,
    unknown_param,
    wrong_paper_with,
    wrong_param,
    wrong_scheduler,
)
from tuning.space.given import Setting, parsed, python_content
from tuning.space.mistakes import Mistakes
from tuning.space.objectives import Objective, perfect, worst, wrong_objectives
from tuning.space.outside import not_allowed, outside_parts
from tuning.space.params import CategoricalParam, Param, SubsetParam, used
from tuning.space.settings import Resources, SearchSettings, WarmStart
from tuning.space.shipped import space_path


class Base(StrictModel):
    """The base of every trial: a preset or a config file, and overrides."""

    preset: str | None = None
    """The paper's settings for a dataset."""
    config: str | dict[str, Any] | None = None
    """A config file, e.g. exported by another search, relative to the space file; or a config's content."""
    overrides: dict[str, Any] = Field(default={})
    """Settings that replace those of the preset or config, nested as in a config."""

    @model_validator(mode="after")
    def _check(self) -> "Base":
        if (self.preset is None) == (self.config is None):
            raise ValueError("give either preset or config")
        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(f"unknown preset {self.preset!r}{did_you_mean(self.preset, PRESETS)}")
        return self


class SpaceFile(StrictModel):
    """The whole of a space file."""

    base: Base
    params: dict[str, Param] = Field(min_length=1)
    """The searched parameters, by dotted key of the config."""
    objectives: dict[Objective, Direction] = Field(
        default={"invariance": "maximize", "informativeness": "maximize"}, min_length=1
    )
    """Validation metrics to optimise."""
    search: SearchSettings = SearchSettings()
    resources: Resources = Resources()

    @field_validator("params")
    @classmethod
    def _full_names(cls, params: dict[str, Param]) -> dict[str, Param]:
        """Replace short names of methods, which packages announce, by full names."""
        method = params.get("method")
        if not isinstance(method, CategoricalParam):
            return params
        ours = get_args(MethodName)
        full = tuple(name if name in ours else full_name("methods", str(name)) for name in method.choices)
        return params | {"method": method.model_copy(update={"choices": full})}


class Space(StrictModel):
    """A resolved experiment: ``load_space`` makes it from a file, ``Space.build`` from Python values."""

    name: str
    """The file's name without its ending, or the given name."""
    base: Config
    """The base config of every trial."""
    params: dict[str, Param]
    """The searched parameters, by dotted key of the config."""
    objectives: dict[str, Direction]
    """Validation metrics to optimise."""
    search: SearchSettings
    """Settings of the search."""
    resources: Resources
    """Resources of one trial."""
    constant_answers: dict[str, float] = Field(default={})
    """The references of the objectives that depend on the labels, e.g. the best constant answer's metric on
    the validation images, or come from another package; see :mod:`tuning.preflight.reference`. A search keeps
    the references that it began with; searches of earlier versions have none."""
    text: str = ""
    """The text of the file; empty for a space that was made in Python."""

    @classmethod
    def build(
        cls,
        *,
        base: str | Config | Mapping[str, Any],
        params: Mapping[str, Param | Mapping[str, Any]],
        objectives: Mapping[str, Direction] | None = None,
        search: SearchSettings | Mapping[str, Any] | None = None,
        resources: Resources | Mapping[str, Any] | None = None,
        name: str = "space",
    ) -> "Space":
        """Make a space from Python values, with the checks of a space file.

        Args:
            base: The name of a preset, a config, or a mapping like ``base`` in a space file: ``preset`` or
                ``config``, and ``overrides``.
            params: The searched parameters by dotted key: mappings as in a space file, or models such as
                :class:`tuning.space.params.FloatParam`.
            objectives: Direction of each objective; by default invariance and informativeness, maximised.
            search: Settings of the search, as in a space file.
            resources: Resources of one trial, as in a space file.
            name: The space's name, which its searches get by default.

        Raises:
            UserError: If there are mistakes, with a line for each: key, received value and allowed values.
        """
        start = {"preset": base} if isinstance(base, str) else {"config": base}
        parts = {
            "base": base if isinstance(base, Mapping) else start,
            "params": params,
            "objectives": objectives,
            "search": search,
            "resources": resources,
        }
        return load_space({key: part for key, part in parts.items() if part is not None}, name=name)

    def config(self, values: Mapping[str, Any]) -> Config:
        """Return the config of a trial.

        Args:
            values: A value for each of ``params`` that the trial's method uses, and for the searched
                strengths of the chosen members; the base gives the rest.

        Raises:
            UserError: If the values make no valid config, e.g. in a ledger that was tampered with.
        """
        overrides: dict[str, Any] = {}
        for key, value in values.items():
            overrides = merged(overrides, nested(key, value))
        config = override(
            self.base, overrides, lambda key, message: UserError(f"{'.'.join(map(str, key))}: {message}")
        )
        return config.model_copy(update={"metrics": self.metrics})

    @property
    def permission(self) -> str:
        """The options that allow the packages whose parts the space names, e.g. ``" --plugins mine"``."""
        named = outside_parts(self.base, self.params, self.objectives, self.search)
        packages = dict.fromkeys(name.partition(":")[0].partition(".")[0] for _, name in named)
        return "".join(f" --plugins {package}" for package in packages)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics from outside that all trials measure: those of the base, and the objectives."""
        return tuple(dict.fromkeys([*self.base.metrics, *filter(is_outside, self.objectives)]))

    def file_text(self) -> str:
        """Return the text of the space file; generate the text of a space that was made in Python."""
        if self.text:
            return self.text
        search = self.search.model_copy(update={"warm_start": _absolute(self.search.warm_start, Path())})
        parts = SpaceFile(
            base=Base(config=self.base.model_dump(mode="json")),
            params=self.params,
            objectives=self.objectives,
            search=search,
            resources=self.resources,
        )
        whole = parts.model_dump(mode="json", exclude_defaults=True)
        whole["objectives"] = dict(self.objectives)  # they may differ from the default by their order alone
        return dump_yaml(whole)

    def paper_values(self, replaced: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
        """Return the baseline: the paper's values of the searched settings, with those of ``paper_with``.

        Settings for which the paper gives no value have the base's.

        Args:
            replaced: Other values for some of the settings.
        """
        paper_with = self.search.warm_start.paper_with
        return self._values(
            lambda key: replaced[key] if key in replaced else paper_value(self.base, key, paper_with)
        )

    @property
    def baseline(self) -> str:
        """The baseline in words: the paper's settings, and the values that replace the paper's."""
        paper_with = self.search.warm_start.paper_with
        replaced = [f"{key} {value}" for key, value in paper_with.items() if key in self.params]
        return f"the paper's settings with {', '.join(replaced)}" if replaced else "the paper's settings"

    def values_of(self, config: Config) -> dict[str, Any]:
        """Return a config's values of the searched settings."""
        return self._values(lambda key: setting(config, key))

    def reject_reason(self, values: Mapping[str, Any]) -> str | None:
        """Return the reason why the space does not contain some values; ``None`` if it does."""
        for key, param in used(self.params, values).items():
            if not param.allows(values[key]):
                return f"{key}: {values[key]!r} is not allowed"
            if isinstance(param, SubsetParam):
                for name, strength in param.strength_params(values[key]).items():
                    if not strength.allows(values[name]):
                        return f"{name}: {values[name]!r} is not between {strength.low} and {strength.high}"
        return None

    @property
    def methods(self) -> list[str]:
        """The methods that the trials train."""
        return trained_methods(self.base, self.params)

    def _values(self, setting_of: Callable[[str], Any]) -> dict[str, Any]:
        """Return values of the parameters that the method uses, and of the chosen members' strengths."""
        method = {key: setting_of(key) for key in self.params if key == "method"}
        params = used(self.params, method)
        values = {key: setting_of(key) for key in params}
        for key, param in params.items():
            if isinstance(param, SubsetParam):
                values |= {name: setting_of(name) for name in param.strength_params(values[key])}
        return values

    @property
    def reference(self) -> list[float]:
        """The worst objectives that count: the corner of the hypervolume, from which gains are measured.

        It is that of ``constant_answers`` if there is one, else that of
        :func:`tuning.space.objectives.worst`.
        """
        widths = self.params.get("encoder.code_dim")
        searched = widths.choices if isinstance(widths, CategoricalParam) else [getattr(widths, "high", 0)]
        code_dim = max(self.base.encoder.code_dim, *map(int, searched))
        return [
            self.constant_answers.get(name, worst(name, direction, code_dim))
            for name, direction in self.objectives.items()
        ]

    @property
    def perfect(self) -> list[float]:
        """The best possible value of each objective; infinite if none is known."""
        return [perfect(name, direction) for name, direction in self.objectives.items()]

    @property
    def preference(self) -> list[float]:
        """The weight of each objective in the choice of the best trade-off."""
        return [self.search.preference.get(name, 1.0) for name in self.objectives]


def load_space(
    space: str | Path | Mapping[str, Any],
    *,
    name: str | None = None,
    dataset: str | None = None,
    data: str | Path | None = None,
    settings: Mapping[str, Any] = MappingProxyType({}),
    search: Mapping[str, Any] = MappingProxyType({}),
) -> Space:
    """Read a space file, or take its content as Python values, and resolve it.

    Args:
        space: The YAML file; the name of a file that comes with the program, e.g. ``augs``; or the content of
            a file as a mapping, whose relative paths then begin in the working folder.
        name: The space's name; by default the file's name without its ending, ``space`` for a mapping.
        dataset: Dataset to search on instead of the file's; its preset replaces the file's.
        data: Store to read instead of ``data/<dataset>.h5``.
        settings: Values that fix settings of every trial, by dotted key, e.g. ``{"encoder_lr": 1e-3}``; a
            fixed setting is not searched. A key that begins with ``search.`` or ``resources.`` replaces a
            value of that part of the file.
        search: Values that replace the file's ``search`` settings; ``None`` keeps the file's.

    Raises:
        UserError: If there are mistakes, with a line for each: file and line (of a file), key, received value
            and allowed values. Mistakes that prevent a check of the rest come with all that do not depend on
            them.
    """
    for part, given, example in (("settings", settings, "epochs"), ("search", search, "trials")):
        if not isinstance(cast(object, given), Mapping):
            raise UserError(f"{part}: expected a mapping such as {{{example!r}: 3}}, received {given!r}")
    fixed = [Setting(key, value, f"settings: {key}") for key, value in settings.items()]
    file, folder = _source(space, name)
    options = {"dataset": dataset, "data": None if data is None else str(data)}
    return _resolved(file, folder, name or _stem(space), options, fixed, search, Mistakes(), dashes="")


def load_space_with_options(
    path: str | Path,
    *,
    dataset: str | None = None,
    data: str | None = None,
    settings: Sequence[str] = (),
    search: Mapping[str, Any] = MappingProxyType({}),
) -> Space:
    """Resolve a space file as :func:`load_space` does, with the options of the command line.

    Args:
        path: The YAML file, or the name of a file that comes with the program.
        dataset: The option ``--dataset``.
        data: The option ``--data``.
        settings: The ``KEY=VALUE`` texts of the options ``--set``.
        search: Values that replace the file's ``search`` settings; ``None`` keeps the file's.

    Raises:
        UserError: As :func:`load_space`; the messages name the options.
    """
    file, folder = _source(path, None)
    wrong, fixed = Mistakes(), []
    for text in settings:
        # The method decides which settings have an effect: nothing can be checked without it.
        with wrong.collected(last=text.startswith("method=")):
            fixed.append(parsed(text))
    options = {"dataset": dataset, "data": data}
    return _resolved(file, folder, _stem(path), options, fixed, search, wrong, dashes="--")


def _source(space: str | Path | Mapping[str, Any], name: str | None) -> tuple[YamlFile, Path]:
    """Return the content of a space, and the folder where its relative paths begin."""
    if isinstance(space, Mapping):
        return python_content(space, name or "space"), Path()
    path = space_path(space)
    return read_yaml(path), path.parent


def _stem(space: str | Path | Mapping[str, Any]) -> str:
    return "space" if isinstance(space, Mapping) else Path(space).stem


def _resolved(
    file: YamlFile,
    folder: Path,
    name: str,
    options: Mapping[str, str | None],
    settings: Sequence[Setting],
    search: Mapping[str, Any],
    wrong: Mistakes,
    dashes: str,
) -> Space:
    """Resolve the content of a space.

    Args:
        file: The content.
        folder: Folder where its relative paths begin.
        name: The space's name.
        options: ``dataset`` and ``data``, which replace the file's.
        settings: Further settings that replace the file's.
        search: Values that replace the file's ``search`` settings; ``None`` keeps the file's.
        wrong: The mistakes so far.
        dashes: The dashes before an option's name, in messages to users of the command line.
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
    how = content.search.model_copy(update={"warm_start": _absolute(content.search.warm_start, folder)})
    with wrong.collected():
        given = {key: value for key, value in search.items() if value is not None}
        changed = python_content(merged(how.model_dump(), changes) | given, "search")
        how = changed.validate(SearchSettings)
    if len(wrong.found) == before and (message := wrong_scheduler(how, base)):
        wrong.found.append(file.error(("search", "scheduler"), message))
    if found := list(wrong_paper_with(base, content.params, how.warm_start.paper_with)):
        wrong.found += [file.error(at, message) for at, message in found]
        wrong.refuse()  # the baseline, which the parameters must allow, is unknown
    for key, param in params.items():
        for at, message in wrong_param(key, param, base, content.params, content.base.overrides, how):
            wrong.found.append(file.error(("params", *at), message))
    for at, message in wrong_objectives(content.objectives, content.search.preference):
        wrong.found.append(file.error(at, message))
    for at, message in not_allowed(base, params, content.objectives, how):
        wrong.found.append(file.error(at, message))
    wrong.refuse()
    return Space(
        name=name,
        base=base,
        params=params,
        objectives=content.objectives,
        search=how,
        resources=resources,
        text=file.text,
    )


def json_schema() -> str:
    """Return the JSON schema of a space file; editors use it to complete and check the file."""
    return json.dumps(SpaceFile.model_json_schema(), indent=2) + "\n"


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
    """Return base, parameters and resources with the given settings; collect mistakes.

    Returns:
        Base, parameters, resources, and the changes of the search settings.
    """
    params, resources = dict(content.params), content.resources
    changes: dict[str, dict[str, Any]] = {"resources": {}, "search": {}}
    for new in settings:
        part, _, inner = new.key.partition(".")
        if part in changes and inner:
            changes[part] = merged(changes[part], nested(inner, new.value))
            continue
        # The method decides which settings have an effect: nothing can be checked without it.
        with wrong.collected(last=new.key == "method"):
            base = _replaced(base, python_content(nested(new.key, new.value), new.said).data, new.said)
            params = {
                name: _without_strength(param, new.key) for name, param in params.items() if name != new.key
            }
    with wrong.collected():
        changed = python_content(merged(resources.model_dump(), changes["resources"]), f"{source} resources")
        resources = changed.validate(Resources)
    share = {"threads": resources.cpus_per_trial, "device": "cuda" if resources.gpus_per_trial else "cpu"}
    return base.model_copy(update=share), params, resources, changes["search"]


def _replaced(base: Config, new: Mapping[str, Any], option: str) -> Config:
    """Return a config with given settings."""
    return override(base, new, lambda _, message: UserError(f"{option}: {message}"))


def _without_strength(param: Param, key: str) -> Param:
    """Return a parameter without the searched strength at a dotted key of the config."""
    if not isinstance(param, SubsetParam):
        return param
    strengths = {
        member: {name: p for name, p in params.items() if f"strengths.{member}.{name}" != key}
        for member, params in param.strengths.items()
    }
    return param.model_copy(update={"strengths": strengths})


def _absolute(warm_start: WarmStart, folder: Path) -> WarmStart:
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
