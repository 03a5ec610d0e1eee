"""YAML files read into strict pydantic models, with errors that name file, line, key and value."""

import difflib
import re
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from dcodr.errors import UserError

Key = tuple[str | int, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)


class StrictModel(BaseModel):
    """A frozen model that converts nothing and refuses unknown keys and non-finite numbers."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for key in data:
                if key not in cls.model_fields:
                    message = f"unknown key{did_you_mean(str(key), cls.model_fields)}"
                    raise PydanticCustomError("unknown_key", "{message}", {"message": message, "key": key})
        return data


def did_you_mean(word: str, allowed: Collection[str]) -> str:
    """The closest allowed word and all allowed words, as the end of an error message."""
    close = difflib.get_close_matches(word, list(allowed), n=1) or [name for name in allowed if word in name]
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"{hint}; allowed: {', '.join(allowed)}"


@dataclass(frozen=True)
class YamlFile:
    """A parsed YAML mapping that remembers where each key stands.

    Attributes:
        source: The file's path as given, for messages.
        data: The parsed mapping.
        lines: One-based line of every key, by its path of mapping keys and sequence positions.
        text: All of it as it was written.
    """

    source: str
    data: dict[str, Any]
    lines: Mapping[Key, int]
    text: str = ""

    def error(self, key: Key, message: str) -> UserError:
        """An error at a key; a key that is not in the file is placed at its closest parent."""
        known = key
        while known and known not in self.lines:
            known = known[:-1]
        where = f", line {self.lines[known]}" if known else ""
        name = ".".join(str(part) for part in key)
        return UserError(f"{self.source}{where}: {name + ': ' if name else ''}{message}")

    def validate(self, model: type[ModelT]) -> ModelT:
        """The mapping as a model.

        Raises:
            UserError: At the first violation, with file, line, key, received value and what is allowed.
        """
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key, message = describe(first, self.data)
            raise self.error(key, message) from None


def describe(error: ErrorDetails, data: object) -> tuple[Key, str]:
    """Where in the data a pydantic error stands, and a message with the received value.

    Args:
        error: One entry of ``ValidationError.errors()``.
        data: What was validated; its keys tell real positions from pydantic's names of union members.
    """
    key: Key = ()
    node = data
    for part in error["loc"]:
        if not isinstance(node, (Mapping, list, tuple)):
            break
        inside = part in node if isinstance(node, Mapping) else isinstance(part, int) and part < len(node)
        if inside:
            node = node[part]  # type: ignore[index]
            key = (*key, part)
        elif error["type"] == "missing" and part == error["loc"][-1]:
            key = (*key, part)
    kind, context = error["type"], error.get("ctx", {})
    if kind == "unknown_key":
        return (*key, context["key"]), error["msg"]
    if kind == "missing":
        return key, "required, but not given"
    if kind == "union_tag_invalid":
        tag_key = (*key, context["discriminator"].strip("'"))
        return tag_key, f"received {context['tag']!r}; should be one of {context['expected_tags']}"
    if kind == "union_tag_not_found":
        return (*key, context["discriminator"].strip("'")), "required, but not given"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    message = message.replace("valid tuple", "list").replace("valid dictionary", "mapping")
    received = "" if isinstance(node, Mapping) and node else f"received {node!r}; "
    return key, f"{received}{message}"


MAX_BYTES = 1_000_000
"""Longest YAML file that is read."""
MAX_VALUES = 10_000
"""Most values of a YAML file, its aliases written out."""
MAX_DEPTH = 20
"""Deepest nesting."""
_TAGS = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map"))


class _Loader(yaml.SafeLoader):
    """Safe loading with YAML 1.2 floats (``1e-4`` is a number) and whole numbers of at most 64 bits."""

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        number = super().construct_yaml_int(node) if len(node.value) <= 100 else 2**63
        if not -(2**63) <= number < 2**63:
            raise yaml.constructor.ConstructorError(
                None, None, "a number of more than 64 bits", node.start_mark
            )
        return number


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)

_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


def parse_yaml(text: str, source: str) -> YamlFile:
    """Parse the text of a YAML file that holds one mapping.

    Raises:
        UserError: If the text is not YAML, not a mapping, gives a key twice, has too many or too deeply
            nested values, or one that is no text, number, boolean, list or mapping.
    """
    lines: dict[Key, int] = {}
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise UserError(f"{source}: expected a mapping of settings, received {text[:40]!r}")
        _collect_lines(root, (), lines, source)
        data = loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UserError(f"{source}, line {line}: not valid YAML: {error.problem}") from None
    except UserError:
        raise
    # An explicit tag on a text of another kind (!!bool x) is reported by whatever that leads to.
    except Exception as error:
        raise UserError(f"{source}: not valid YAML: {error}") from None
    return YamlFile(source, data, lines, text)


def read_yaml(path: str | Path) -> YamlFile:
    """Parse a YAML file that holds one mapping.

    Raises:
        UserError: If the file cannot be read or is not such a file.
    """
    try:
        if not Path(path).is_file():
            raise FileNotFoundError("no such file")
        with Path(path).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise UserError(f"{path}: is longer than the {MAX_BYTES:,} bytes that are read")
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    return parse_yaml(text, str(path))


def _collect_lines(node: yaml.Node, key: Key, lines: dict[Key, int], source: str) -> None:
    if len(lines) > MAX_VALUES or len(key) > MAX_DEPTH:
        limit = f"{MAX_VALUES:,} values" if len(lines) > MAX_VALUES else f"{MAX_DEPTH} levels"
        raise UserError(f"{source}, line {node.start_mark.line + 1}: more than {limit}, aliases written out")
    if node.tag not in _TAGS:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        raise UserError(
            f"{source}, line {node.start_mark.line + 1}: not valid YAML here: a {kind}; put a text in quotes"
        )
    if isinstance(node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for name, value in node.value:
            line = name.start_mark.line + 1
            if name.tag != "tag:yaml.org,2002:str":
                raise UserError(f"{source}, line {line}: keys are words, received {name.value!r}")
            if name.value in seen:
                raise UserError(f"{source}, line {line}: {name.value}: given twice")
            seen.add(name.value)
            here = (*key, name.value)
            lines[here] = line
            _collect_lines(value, here, lines, source)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            here = (*key, position)
            lines[here] = value.start_mark.line + 1
            _collect_lines(value, here, lines, source)
