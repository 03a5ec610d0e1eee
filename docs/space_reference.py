"""Generate the reference of space files and configs, as Markdown, from the models that read them."""

import json
from collections.abc import Iterator
from typing import Any

from dcodr.config import PRESETS, Config
from tuning.space import SpaceFile

Schema = dict[str, Any]

LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "multipleOf": "a multiple of {}",
    "minItems": "{} or more",
    "maxItems": "at most {}",
    "minLength": "not empty",
    "minProperties": "{} or more",
    "pattern": "matches `{}`",
}
"""Names of the limits in a JSON schema."""

TYPES = {"object": "mapping", "null": "`null`", "boolean": "true or false", "string": "text"}
"""Readable names of JSON schema types, where they differ from the schema's own."""

INTRODUCTION = f"""# Space files and configs, key by key

This page is made from the models that read the files. Any other key is refused, with file, line and the
allowed ones. [The search engine](../search-engine.md) explains the parts; `search_spaces/space.schema.json`
is the same for editors. Presets: {", ".join(f"`{name}`" for name in PRESETS)}.
"""


def reference() -> str:
    """Return the whole page."""
    parts = [INTRODUCTION, "## A space file", *_model("", SpaceFile.model_json_schema(), {})]
    parts += [
        "## A config",
        "`base.overrides`, `params` (by dotted keys such as `encoder.code_dim`) and `--set` change these "
        "keys; `python -m dcodr train` reads them.",
        *_model("", Config.model_json_schema(), {}),
    ]
    return "\n\n".join(parts) + "\n"


def _model(key: str, schema: Schema, definitions: dict[str, Schema]) -> Iterator[str]:
    """Describe a model: its docstring, a table of its fields, and the same for each model in it."""
    definitions = schema.get("$defs", definitions)
    yield _plain(schema["description"])
    rows = ["| key | type | default | limits | meaning |", "|---|---|---|---|---|"]
    for name, field in schema["properties"].items():
        default = "required" if name in schema.get("required", []) else _default(field)
        kind, limits = _type(field, definitions), ", ".join(dict.fromkeys(_limits(field, definitions)))
        cells = f"`{name}`", kind, default, limits, _meaning(field, definitions)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    yield "\n".join(rows)
    for name, field in schema["properties"].items():
        for model in _models(field, definitions):
            inner = f"{key}.{name}".lstrip(".")
            kind = model["properties"].get("type", {}).get("const")
            yield f"### `{inner}`" + (f": {kind}" if kind else "")
            yield from _model(inner, model, definitions)


def _models(field: Schema, definitions: dict[str, Schema]) -> list[Schema]:
    """Return the models that a field's value, or the values of its mapping, may have."""
    if "$ref" in field:
        return [definitions[_name(field)]]
    if "additionalProperties" in field:
        return _models(field["additionalProperties"], definitions) if _is_param(field) else []
    return [model for way in _ways(field) for model in _models(way, definitions)]


def _is_param(field: Schema) -> bool:
    """Return whether a mapping holds the searched parameters; strengths have some of the same kinds."""
    return "SubsetParam" in str(field)


def _type(field: Schema, definitions: dict[str, Schema]) -> str:
    if "$ref" in field:
        model = definitions[_name(field)]
        return str(model["properties"].get("type", {}).get("const", "mapping (below)"))
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{choice}`" for choice in field["enum"])
    if ways := _ways(field):
        return " or ".join(dict.fromkeys(_type(way, definitions) for way in ways))
    if "items" in field:
        return f"list of {_type(field['items'], definitions)}"
    if isinstance(field.get("additionalProperties"), dict):
        return f"mapping to {_type(field['additionalProperties'], definitions)}"
    return TYPES.get(field["type"], str(field["type"]))


def _limits(field: Schema, definitions: dict[str, Schema]) -> Iterator[str]:
    for name, text in LIMITS.items():
        if name in field:
            yield text.format(field[name])
    for way in _ways(field):
        yield from _limits(way, definitions)


def _default(field: Schema) -> str:
    default = field.get("default")
    if isinstance(default, dict) and ("$ref" in field or _ways(field)):
        return "as below"
    if isinstance(default, dict):
        return ", ".join(f"`{key}: {value}`" for key, value in default.items()) or "none"
    if isinstance(default, list):
        return ", ".join(f"`{value}`" for value in default) or "none"
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _meaning(field: Schema, definitions: dict[str, Schema]) -> str:
    own = field.get("description") or " ".join(m["description"] for m in _models(field, definitions)[:1])
    return _plain(own)


def _plain(docstring: str) -> str:
    """Convert a docstring to Markdown: one line, code in single backticks, roles as code."""
    text = " ".join(docstring.split())
    for role in (":class:", ":func:"):
        text = text.replace(role, "")
    return text.replace("``", "`")


def _ways(field: Schema) -> list[Schema]:
    ways: list[Schema] = field.get("anyOf") or field.get("oneOf") or []
    return ways


def _name(field: Schema) -> str:
    return str(field["$ref"]).rsplit("/", 1)[-1]
