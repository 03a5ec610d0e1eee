"""Reading and writing by the core schema of YAML 1.2.

PyYAML reads YAML 1.1, in which ``010`` is 8, ``1:30`` is 90, ``1_000`` is a number, ``yes`` is true and
``1e-4`` is a text. Here ``010`` is 10, ``1e-4`` is a number, and the others are texts.
"""

import re
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from yaml import SafeDumper as _Dumper
else:
    _Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

PREFIX = "tag:yaml.org,2002:"
NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SCALARS = {
    "null": (r"~|null|Null|NULL|", "~nN"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (rf"{NUMBER.pattern}|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+.0123456789"),
}
"""For each kind of scalar except text: the pattern of its spellings, and their possible first characters."""


class CoreLoader(yaml.SafeLoader):
    """A safe loader for the core schema, with whole numbers of at most 64 bits."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  drops those of YAML 1.1; must be an attribute of this class

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Convert a node with the spelling of an int."""
        base = {"0o": 8, "0x": 16}.get(node.value[:2], 10)
        digits = node.value if base == 10 else node.value[2:]
        # More than 100 digits exceed 64 bits in any base here; their conversion would only be slow.
        number = int(digits, base) if len(digits) <= 100 else 2**63
        if not -(2**63) <= number < 2**63:
            message = "a number of more than 64 bits"
            raise yaml.constructor.ConstructorError(None, None, message, node.start_mark)
        return number

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """Convert a node with the spelling of a float."""
        return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))

    def reads_as(self, text: str) -> str:
        """Return the kind of scalar of a text without quotes and without a tag."""
        tag: str = self.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        return tag.removeprefix(PREFIX)


class CoreDumper(_Dumper):
    """A safe dumper that quotes each text that YAML 1.1 or 1.2 would not read as a text."""


for _kind, (_pattern, _begins) in _SCALARS.items():
    _spelling, _first = re.compile(rf"(?:{_pattern})\Z"), [*_begins, *([""] if _kind == "null" else [])]
    CoreLoader.add_implicit_resolver(PREFIX + _kind, _spelling, _first)
    CoreDumper.add_implicit_resolver(PREFIX + _kind, _spelling, _first)
CoreLoader.add_constructor(f"{PREFIX}int", CoreLoader.construct_yaml_int)
CoreLoader.add_constructor(f"{PREFIX}float", CoreLoader.construct_yaml_float)


def dump_yaml(data: object, *, one_line: bool = False) -> str:
    """Return YAML that :func:`dcodr.strict_yaml.parse_yaml` reads back to the same values.

    Args:
        data: Mappings, lists, texts, numbers, booleans and ``None``.
        one_line: True to write a single line without a line break.
    """
    text = str(
        yaml.dump(
            data,
            Dumper=CoreDumper,
            sort_keys=False,
            allow_unicode=True,
            default_flow_style=one_line,
            width=10**6 if one_line else 80,  # so wide that the line is not broken
        )
    )
    return text.removesuffix("\n").removesuffix("\n...") if one_line else text
