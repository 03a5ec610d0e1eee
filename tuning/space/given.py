"""Content that is given beside a space file or instead of one: Python values, and ``KEY=VALUE`` texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from dcodr.errors import UserError
from dcodr.strict_yaml import MAX_DEPTH, Key, YamlFile, parse_yaml


@dataclass(frozen=True)
class Setting:
    """A setting that replaces a value of a space file.

    Attributes:
        key: Dotted key of a config, or below ``search`` or ``resources``.
        value: The value.
        said: The beginning of an error message about it, in the user's words.
    """

    key: str
    value: Any
    said: str


def parsed(text: str) -> Setting:
    """Parse a ``KEY=VALUE`` text of the command line.

    Raises:
        UserError: If it has another form, or the value is not YAML.
    """
    said = f"--set {text}"
    key, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"{said}: expected KEY=VALUE, e.g. temperature=0.2")
    return Setting(key, parse_yaml(f"value: {value}", said).data["value"], said)


def python_content(content: Mapping[str, Any], source: str) -> YamlFile:
    """Return Python values as the content of a file without lines.

    Args:
        content: Nested mappings; models, tuples and paths may stand for mappings, lists and texts.
        source: The word for it in error messages.

    Raises:
        UserError: If a key is no text, or values are nested too deeply.
    """
    data = _plain(content, (), source)
    return YamlFile(source, data, {})


def _plain(value: Any, key: Key, source: str) -> Any:
    if len(key) > MAX_DEPTH:
        raise UserError(f"{source}: more than {MAX_DEPTH} levels")
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise YamlFile(source, {}, {}).error(key, f"keys are words, received {name!r}")
        return {name: _plain(inner, (*key, name), source) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, (*key, i), source) for i, inner in enumerate(value)]
    return value
