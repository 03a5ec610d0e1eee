"""The search space: the whole experiment, in one YAML file or one mapping in Python."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from pydantic import Field

from dcodr.config import Config, merged, nested, override, setting
from dcodr.errors import UserError
from dcodr.mistakes import Mistakes
from dcodr.plugins import is_outside
from dcodr.strict_yaml import StrictModel, YamlFile, read_yaml
from dcodr.words import counted
from dcodr.yaml_core import dump_yaml
from tuning.pareto import Direction
from tuning.space.checks import paper_value, trained_methods
from tuning.space.given import Setting, parsed, python_content
from tuning.space.loading import absolute_paths, resolve
from tuning.space.objectives import perfect, worst
from tuning.space.outside import outside_parts
from tuning.space.params import CategoricalParam, Param, SubsetParam, used
from tuning.space.settings import Resources, SearchSettings
from tuning.space.shipped import space_path
from tuning.space.space_file import Base, SpaceFile
from tuning.space.words import range_text, value_text


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

    def __str__(self) -> str:
        aims: dict[str, list[str]] = {}
        for objective, direction in self.objectives.items():
            aims.setdefault(f"{direction[:-1]}es", []).append(objective)
        said = ", ".join(f"{verb} {' and '.join(names)}" for verb, names in aims.items())
        params, trials = counted(len(self.params), "parameter"), counted(self.search.trials, "trial")
        return f"{self.name!r} of {self.base.dataset}: {params}, {trials}, {said}"

    def __repr__(self) -> str:
        return f"<Space {self}>"

    def _repr_html_(self) -> str:
        rows = [
            f"<tr><th>{escape(key)}</th><td>{escape(range_text(param))}</td></tr>"
            for key, param in self.params.items()
        ]
        header = "<tr><th>parameter</th><th>values</th></tr>"
        return f"<p>{escape(str(self))}</p>\n<table>\n" + "\n".join([header, *rows]) + "\n</table>"

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
        search = self.search.model_copy(update={"warm_start": absolute_paths(self.search.warm_start, Path())})
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

        Settings for which the paper gives no value have the base's; ``replaced`` has other values for some.
        """
        paper_with = self.search.warm_start.paper_with
        return self._values(
            lambda key: replaced[key] if key in replaced else paper_value(self.base, key, paper_with)
        )

    @property
    def baseline(self) -> str:
        """The baseline in words: the paper's settings, and the values that replace the paper's."""
        paper_with = self.search.warm_start.paper_with
        values = self.paper_values()
        replaced = [f"{key} {value_text(values[key])}" for key in paper_with if key in values]
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
    fields = resolve(file, folder, options, fixed, search, Mistakes(), dashes="")
    return Space(name=name or _stem(space), **fields)


def load_space_with_options(
    path: str | Path,
    *,
    dataset: str | None = None,
    data: str | None = None,
    settings: Sequence[str] = (),
    search: Mapping[str, Any] = MappingProxyType({}),
) -> Space:
    """Resolve a space file as :func:`load_space` does, with the command line's options (``--set KEY=VALUE``).

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
    fields = resolve(file, folder, options, fixed, search, wrong, dashes="--")
    return Space(name=_stem(path), **fields)


def _source(space: str | Path | Mapping[str, Any], name: str | None) -> tuple[YamlFile, Path]:
    """Return the content of a space, and the folder where its relative paths begin."""
    if isinstance(space, Mapping):
        return python_content(space, name or "space"), Path()
    path = space_path(space)
    return read_yaml(path), path.parent


def _stem(space: str | Path | Mapping[str, Any]) -> str:
    return "space" if isinstance(space, Mapping) else Path(space).stem
