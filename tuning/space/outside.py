"""The parts from outside that a space names, and the permission that they need."""

from collections.abc import Iterable, Iterator, Mapping

from dcodr.config import Config
from dcodr.config.parts import LIBRARIES
from dcodr.plugins import is_outside, refusal
from dcodr.strict_yaml import Key
from tuning.space.params import CategoricalParam, Param, SubsetParam
from tuning.space.settings import SearchSettings


def outside_parts(
    base: Config, params: Mapping[str, Param], objectives: Iterable[str], search: SearchSettings
) -> Iterator[tuple[Key, str]]:
    """Yield the parts from outside that a space names, each with its place in the space file."""
    for at, name in _named(base, params, objectives, search):
        if is_outside(name) and name.partition(":")[0] not in LIBRARIES:
            yield at, name


def not_allowed(
    base: Config, params: Mapping[str, Param], objectives: Iterable[str], search: SearchSettings
) -> Iterator[tuple[Key, str]]:
    """Yield packages that this machine does not allow, each at its first place; nothing is imported."""
    refused: dict[str, list[tuple[Key, str]]] = {}
    for at, name in outside_parts(base, params, objectives, search):
        if refusal(name) is not None:
            refused.setdefault(name.partition(":")[0].partition(".")[0], []).append((at, name))
    for (at, name), *others in refused.values():
        also = f" (needed for {', '.join(other for _, other in others)} too)" if others else ""
        yield at, f"{refusal(name)}{also}"


def _named(
    base: Config, params: Mapping[str, Param], objectives: Iterable[str], search: SearchSettings
) -> Iterator[tuple[Key, str]]:
    overrides: Key = ("base", "overrides")
    if "encoder.arch" not in params:
        yield (*overrides, "encoder", "arch"), base.encoder.arch
    if "method" not in params:
        yield (*overrides, "method"), base.method
    if not any(isinstance(param, SubsetParam) for param in params.values()):
        yield from (((*overrides, "augmentations"), name) for name in base.augmentations)
    yield from (((*overrides, "metrics"), name) for name in base.metrics if name not in [*objectives])
    for key, param in params.items():
        if isinstance(param, SubsetParam):
            yield from ((("params", key, "members"), name) for name in param.members)
        elif isinstance(param, CategoricalParam) and key in ("encoder.arch", "method"):
            yield from ((("params", key, "choices", i), str(name)) for i, name in enumerate(param.choices))
    yield from ((("objectives", name), name) for name in objectives)
    yield ("search", "sampler"), search.sampler
