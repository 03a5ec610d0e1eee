"""YAML files for strict pydantic models, with errors that name file, line, key and value."""

import copy
import difflib
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, dataclass_transform

import yaml
from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from dcodr.errors import UserError
from dcodr.words import counted
from dcodr.yaml_core import NUMBER, PREFIX, CoreLoader

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)

_WORDS = {"valid tuple": "list", "valid list": "list", "valid dictionary": "mapping", "valid string": "text"}
UNKNOWN_KEY = "unknown key"
"""Beginning of a message about a key that a model does not have."""
Key = tuple[str | int, ...]
ModelT = TypeVar("ModelT", bound=BaseModel)


# Type checkers read the fields of a model through this decorator, which a metaclass does not inherit.
@dataclass_transform(kw_only_default=True, field_specifiers=(Field,))
class _Made(ModelMetaclass):
    """The class of models that raise ``UserError`` where Python code makes one: ``Config(epochs=0)``.

    pydantic's own validation, also that of models inside a model, does not pass here.
    """

    if not TYPE_CHECKING:  # type checkers read the arguments from the fields

        def __call__(self, *args, **fields):
            try:
                return super().__call__(*args, **fields)
            except ValidationError as error:
                raise UserError.of(
                    UserError(f"{self.__name__}: {dotted(key)}{message}")
                    for key, message in describe(error, fields).items()
                ) from None


class StrictModel(BaseModel, metaclass=_Made):
    """A frozen model that converts no types and refuses unknown keys and non-finite numbers.

    Raises:
        UserError: If Python code makes an invalid one, with a line for each mistake.
    """

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    @model_validator(mode="wrap")
    @classmethod
    def _suggest_keys(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        # Every model on the way from the mistake to the root sees the error. The model that the unknown key
        # belongs to adds its own allowed keys.
        try:
            return handler(data)
        except ValidationError as error:
            details = error.errors(include_url=False)
            if not any(map(_is_unknown_key, details)):
                raise
            raise ValidationError.from_exception_data(
                cls.__name__, [*map(cls._suggesting, details)]
            ) from None

    @classmethod
    def _suggesting(cls, detail: ErrorDetails) -> InitErrorDetails:
        """Convert an error of pydantic; add the allowed keys if it is about an unknown key of this model."""
        kind, message = detail["type"], detail["msg"]
        if _is_unknown_key(detail):
            hint = did_you_mean(str(detail["loc"][0]), cls.model_fields)
            kind, message = "unknown_key", f"{UNKNOWN_KEY}{hint}"
        return _custom_error(kind, message, detail["loc"], detail["input"], detail.get("ctx", {}))


def _is_unknown_key(detail: ErrorDetails) -> bool:
    return detail["type"] == "extra_forbidden" and len(detail["loc"]) == 1


def _custom_error(
    kind: str, message: str, key: Key, received: Any, context: Mapping[str, Any]
) -> InitErrorDetails:
    reason = PydanticCustomError(kind, "{message}", {**context, "message": message})
    return InitErrorDetails(type=reason, loc=key, input=received)


def dotted(key: Key) -> str:
    """Return the beginning of a message about a key: ``encoder.arch: ``; empty for the whole."""
    return f"{'.'.join(map(str, key))}: " if key else ""


def mistakes(found: Iterable[tuple[Key, str]]) -> ValidationError:
    """Combine several errors into one, for a validator to raise.

    Args:
        found: For each mistake its key, relative to the validated value, and a message.
    """
    details = [_custom_error("mistake", message, key, None, {}) for key, message in found]
    return ValidationError.from_exception_data("mistakes", details)


def did_you_mean(word: str, allowed: Collection[str]) -> str:
    """Return the end of an error message: the closest allowed word and all allowed words."""
    close = difflib.get_close_matches(word, list(allowed), n=1) or [name for name in allowed if word in name]
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"{hint}; allowed: {', '.join(allowed)}"


@dataclass(frozen=True)
class YamlFile:
    """A parsed YAML mapping that remembers the line of each key.

    Attributes:
        source: The file's path as given, for error messages.
        data: The parsed mapping.
        lines: One-based line of every key, by its path of mapping keys and sequence positions.
        text: The original text.
    """

    source: str
    data: dict[str, Any]
    lines: Mapping[Key, int]
    text: str = ""

    def error(self, key: Key, message: str) -> UserError:
        """Make an error at a key; a missing key gets the line of its closest parent."""
        line = self._line(key)
        where = f", line {line}" if line else ""
        return UserError(f"{self.source}{where}: {dotted(key)}{message}")

    def mistakes(self, model: type[BaseModel]) -> dict[Key, str]:
        """Validate the mapping; return the wrong keys with messages, in the file's order."""
        try:
            model.model_validate(self.data)
        except ValidationError as error:
            found = describe(error, self.data)
            return {key: found[key] for key in sorted(found, key=self._line)}
        return {}

    def validate(self, model: type[ModelT]) -> ModelT:
        """Convert the mapping to a model.

        Raises:
            UserError: If it is invalid, with one line for each violation: file, line, key, received value and
                allowed values.
        """
        if wrong := self.mistakes(model):
            raise UserError.of(self.error(key, message) for key, message in wrong.items())
        return model.model_validate(self.data)

    def _line(self, key: Key) -> int:
        """Return the line of a key, or of its closest parent in the file; 0 if there is none."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 0)


def without(data: Mapping[str, Any], keys: Collection[Key]) -> dict[str, Any]:
    """Return a mapping without some keys; for a key that is missing or in a list, without its parent."""
    rest = copy.deepcopy(dict(data))
    for key in [_inside(data, key) for key in keys if key]:
        holder: Any = rest
        for part in key[:-1]:
            holder = holder.get(part, {})
        holder.pop(key[-1], None)
    return rest


def _inside(data: Any, key: Key) -> Key:
    """Return the beginning of a key that leads through existing mappings."""
    length = 0
    while length < len(key) and isinstance(data, Mapping) and key[length] in data:
        data = data[key[length]]
        length += 1
    return key[: max(length, 1)]


def describe(error: ValidationError, data: object) -> dict[Key, str]:
    """Describe the mistakes that pydantic found: their keys, and messages with the received values.

    Args:
        error: The error of pydantic. Several errors about one value, for example of a union, become one
            message.
        data: The validated data. Its keys distinguish real positions from pydantic's names of union members.
    """
    received: dict[Key, str] = {}
    messages: dict[Key, list[str]] = {}
    for detail in error.errors(include_url=False):
        key, node = _position(detail, data)
        key, message, show = _told(detail, key, node)
        received[key] = f"received {node!r}; " if show else ""
        messages.setdefault(key, []).append(message)
    return {key: received[key] + " or ".join(dict.fromkeys(told)) for key, told in messages.items()}


def _position(detail: ErrorDetails, data: object) -> tuple[Key, object]:
    """Return the part of an error's key that exists in the data, and the value there."""
    # The location of an error also contains names of union members, which are not in the data.
    key: Key = ()
    for part in detail["loc"]:
        if not isinstance(data, (Mapping, list, tuple)):
            break
        inside = part in data if isinstance(data, Mapping) else isinstance(part, int) and part < len(data)
        if inside:
            data = data[part]  # type: ignore[index]
            key = (*key, part)
        elif detail["type"] == "missing" and part == detail["loc"][-1]:
            key = (*key, part)
    return key, data


def _told(detail: ErrorDetails, key: Key, node: object) -> tuple[Key, str, bool]:
    """Return the key of a mistake, a message, and true if the message should show the received value."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "unknown_key":
        return key, detail["msg"], False
    if kind == "missing":
        return key, "required, but not given", False
    if kind == "union_tag_invalid":
        tag = (*key, context["discriminator"].strip("'"))
        return tag, f"received {context['tag']!r}; should be one of {context['expected_tags']}", False
    if kind == "union_tag_not_found":
        return (*key, context["discriminator"].strip("'")), "required, but not given", False
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ").removeprefix("String ")
    # Messages in the words of YAML, which the user wrote, instead of Python's.
    for theirs, ours in _WORDS.items():
        message = message.replace(theirs, ours)
    if kind == "bool_type":
        message = "should be true or false"
    elif kind in ("model_type", "model_attributes_type", "dict_type"):
        message = "should be a mapping"
    elif kind == "too_short":
        message = f"should have at least {counted(context['min_length'], 'entry', 'entries')}"
    elif kind == "too_long":
        message = f"should have at most {counted(context['max_length'], 'entry', 'entries')}"
    elif kind in ("int_type", "float_type") and isinstance(node, str):
        digits = node.replace("_", "")
        message += f": write {digits}" if NUMBER.fullmatch(digits) else ""
    return key, message, not (isinstance(node, Mapping) and node)


MAX_BYTES = 1_000_000
"""Largest size of a YAML file."""
MAX_VALUES = 10_000
"""Largest number of values in a YAML file, with its aliases expanded."""
MAX_DEPTH = 20
"""Deepest nesting."""
MAX_MISTAKES = 100
"""Number of mistakes at which reading ends."""
_TAGS = tuple(PREFIX + kind for kind in ("str", "int", "float", "bool", "null", "seq", "map"))


def parse_yaml(text: str, source: str) -> YamlFile:
    """Parse the text of a YAML file that holds one mapping.

    Raises:
        UserError: If the text is not YAML, is not a mapping, repeats a key, has too many or too deeply nested
            values, or has a value that is not a text, number, boolean, list or mapping. One line for each
            repeated key and each such value.
    """
    lines: dict[Key, int] = {}
    try:
        loader = CoreLoader(text)
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise UserError(f"{source}: expected a mapping of settings, received {text[:40]!r}")
        wrong: list[UserError] = []
        _collect_lines(root, (), lines, source, loader, wrong)
        if wrong:
            raise UserError.of(wrong)
        data = loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UserError(f"{source}, line {line}: not valid YAML: {error.problem}") from None
    except UserError:
        raise
    # Control characters and deep nesting raise many kinds of exceptions.
    except Exception as error:
        raise UserError(f"{source}: not valid YAML: {error}") from None
    return YamlFile(source, data, lines, text)


def read_yaml(path: str | Path) -> YamlFile:
    """Parse a YAML file that holds one mapping.

    Raises:
        UserError: If the file cannot be read or is invalid.
    """
    try:
        # Opening a named pipe would block.
        if not Path(path).is_file():
            raise FileNotFoundError("no such file")
        with Path(path).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)  # one byte too many shows that the file is too large
        if len(raw) > MAX_BYTES:
            raise UserError(f"{path}: is larger than the allowed {MAX_BYTES:,} bytes")
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    return parse_yaml(text, str(path))


def _collect_lines(
    node: yaml.Node,
    key: Key,
    lines: dict[Key, int],
    source: str,
    loader: CoreLoader,
    wrong: list[UserError],
) -> None:
    """Note the line of each key below a node, and collect mistakes of keys and values."""
    # Checked before the values are constructed: nested aliases can expand to more than the memory holds.
    here = f"{source}, line {node.start_mark.line + 1}"
    if len(lines) > MAX_VALUES or len(key) > MAX_DEPTH:
        limit = f"{MAX_VALUES:,} values" if len(lines) > MAX_VALUES else f"{MAX_DEPTH} levels"
        raise UserError(f"{here}: more than {limit}, with aliases expanded")
    if len(wrong) >= MAX_MISTAKES:
        raise UserError.of(wrong)
    kind = node.tag.removeprefix(PREFIX)
    if node.tag not in _TAGS:
        wrong.append(UserError(f"{here}: not valid YAML here: a {kind}; put text in quotes"))
    elif isinstance(node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for name, value in node.value:
            line = name.start_mark.line + 1
            if len(wrong) >= MAX_MISTAKES:
                break
            if name.tag != f"{PREFIX}str":
                wrong.append(UserError(f"{source}, line {line}: keys are words, received {name.value!r}"))
                continue
            if name.value in seen:
                wrong.append(UserError(f"{source}, line {line}: {name.value}: given twice"))
                continue
            seen.add(name.value)
            lines[(*key, name.value)] = line
            _collect_lines(value, (*key, name.value), lines, source, loader, wrong)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            lines[(*key, position)] = value.start_mark.line + 1
            _collect_lines(value, (*key, position), lines, source, loader, wrong)
    elif kind not in ("str", loader.reads_as(node.value)):
        wrong.append(UserError(f"{here}: not valid YAML: {node.value[:40]!r} is not of type {kind}"))
