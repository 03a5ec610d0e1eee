"""The diagram of docs/architecture.md: read, compared with the imports, drawn.

``python -m docs.architecture`` prints the arrows that the diagram should have.
"""

import ast
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Line

from dcodr.palette import BLUE, GREY, ORANGE

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
DIAGRAM = re.compile(r"```mermaid\n(.*?)```", re.DOTALL)
NOT_DRAWN = {
    "errors",
    "files",
    "html",
    "strict_yaml",
    "yaml_core",
    "palette",
    "console",
    "mistakes",
    "seeds",
    "words",
    "tables",
    "precision",
    "seeding",
    "interrupts",
    "plugins",
    "versions",
    "__init__",
    "__main__",
}
"""Modules beside the rooms that any room may use."""

HALF_HEIGHT = 0.31
"""Half the height of a room, in layers."""

Arrow = tuple[str, str]


@dataclass(frozen=True)
class Diagram:
    """Rooms and the arrows between them.

    Attributes:
        rooms: By name the package it is in and what is in it: files, and folders with a slash at the end.
        arrows: From a room to one that it imports.
    """

    rooms: Mapping[str, tuple[str, tuple[str, ...]]]
    arrows: frozenset[Arrow]

    def room_of(self, path: str) -> str | None:
        """Return the room of a file, e.g. of ``dcodr/data/store.py``; ``None`` if it is in none."""
        package, _, inside = path.partition("/")
        for name, (of, members) in self.rooms.items():
            if of == package and (inside in members or inside.split("/")[0] + "/" in members):
                return name
        return None


def read_diagram(page: Path = PAGE) -> Diagram:
    """Read the diagram in a page."""
    found = DIAGRAM.search(page.read_text(encoding="utf-8"))
    assert found, f"{page}: no diagram"
    rooms, arrows, package = {}, set(), ""
    for line in map(str.strip, found[1].splitlines()):
        if line.startswith("subgraph"):
            package = line.split()[1]
        elif match := re.fullmatch(r'(\w+)\["[^<]*<br>(.*)"\]', line):
            rooms[match[1]] = package, tuple(match[2].split())
        elif match := re.fullmatch(r"(\w+) --> (\w+(?: & \w+)*)", line):
            arrows |= {(match[1], target) for target in match[2].split(" & ")}
    return Diagram(rooms, frozenset(arrows))


def modules() -> dict[str, Path]:
    """Return all modules that belong to a room, by dotted name."""
    paths = [path for package in ("dcodr", "tuning") for path in sorted((ROOT / package).rglob("*.py"))]
    named = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}
    return {
        name.removesuffix(".__init__"): path
        for name, path in named.items()
        if path.parent.parent != ROOT or path.stem not in NOT_DRAWN
    }


def imported(path: Path) -> set[str]:
    """Return the dotted names of a file's imports, each both as a module and as a name in a module."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def true_arrows(diagram: Diagram) -> frozenset[Arrow]:
    """Return the arrows of the imports, without those that others imply.

    Raises:
        ValueError: If rooms import each other in a circle, or a module has no room.
    """
    files = modules()
    rooms = {name: diagram.room_of(path.relative_to(ROOT).as_posix()) for name, path in files.items()}
    homeless = [name for name, room in rooms.items() if room is None]
    if homeless:
        raise ValueError(f"in no room of the diagram: {', '.join(homeless)}")
    direct: dict[str, set[str]] = {room: set() for room in diagram.rooms}
    for name, path in files.items():
        here = str(rooms[name])
        direct[here] |= {str(rooms[other]) for other in imported(path) & files.keys()} - {here}
    return frozenset(
        (room, other)
        for room in direct
        for other in direct[room]
        if not any(other in _below(step, direct) for step in direct[room] - {other})
    )


def _below(room: str, direct: Mapping[str, set[str]], path: tuple[str, ...] = ()) -> set[str]:
    """Return all rooms that a room imports, directly or not."""
    if room in path:
        raise ValueError(f"a circle: {' -> '.join([*path[path.index(room) :], room])}")
    return direct[room].union(*(_below(other, direct, (*path, room)) for other in direct[room]))


def draw(diagram: Diagram, out: Path) -> None:
    """Draw the diagram in layers, each room above all that it imports, arrows around the rooms between."""
    height = heights(diagram)
    routes = [_route(of, to, height) for of, to in sorted(diagram.arrows)]
    layers: list[list[str]] = [[] for _ in range(max(height.values()) + 1)]
    for node in dict.fromkeys([*diagram.rooms, *(node for route in routes for node in route)]):
        layers[height[node]].append(node)
    x = _across(layers, [step for route in routes for step in itertools.pairwise(route)])
    figure = Figure(figsize=(9.4, 1.1 * len(layers)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    for first, *between, last in routes:
        past = [(x[node], height[node] + side) for node in between for side in (HALF_HEIGHT, -HALF_HEIGHT)]
        ends = (x[first], height[first] - HALF_HEIGHT), (x[last], height[last] + HALF_HEIGHT)
        line = Line([ends[0], *past, ends[1]])
        axes.add_patch(FancyArrowPatch(path=line, arrowstyle="-|>", mutation_scale=10, color=GREY, lw=0.9))
    for room, (package, members) in diagram.rooms.items():
        _box(axes, x[room], height[room], room, BLUE if package == "dcodr" else ORANGE, members)
    axes.set(xlim=(min(x.values()) - 0.6, max(x.values()) + 0.6), ylim=(-0.5, len(layers) - 0.5))
    figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)


def heights(diagram: Diagram) -> dict[str, int]:
    """Return the layer of every room: above its imports, or right below its users if it imports nothing."""
    direct = {room: {to for of, to in diagram.arrows if of == room} for room in diagram.rooms}

    def height(room: str) -> int:
        return max((height(other) + 1 for other in direct[room]), default=0)

    lowest = {room: height(room) for room in diagram.rooms}
    lifted = {
        room: min((lowest[of] - 1 for of, to in diagram.arrows if to == room), default=0)
        for room in diagram.rooms
        if not direct[room]
    }
    return lowest | lifted


def _route(of: str, to: str, height: dict[str, int]) -> list[str]:
    """Return an arrow's ends, and a bend in every layer between them, which is added to ``height``."""
    between = {f"{of} {to} {level}": level for level in range(height[of] - 1, height[to], -1)}
    height |= between
    return [of, *between, to]


def _across(layers: list[list[str]], steps: list[Arrow]) -> dict[str, float]:
    """Place every room and every arrow's bend in its layer: near its neighbours, without overlaps."""
    width = {node: 0.3 if " " in node else 1.05 for layer in layers for node in layer}
    x = {node: place - len(layer) / 2 for layer in layers for place, node in enumerate(layer)}
    near: dict[str, list[str]] = {node: [] for node in x}
    for one, other in steps:
        near[one].append(other)
        near[other].append(one)
    for _ in range(60):
        for layer in layers:
            wish = {n: sum(x[m] for m in near[n]) / len(near[n]) if near[n] else x[n] for n in layer}
            layer.sort(key=wish.__getitem__)
            places = [wish[layer[0]]]
            for left, node in itertools.pairwise(layer):
                places.append(max(wish[node], places[-1] + (width[left] + width[node]) / 2))
            shift = sum(wish[node] - place for node, place in zip(layer, places, strict=True)) / len(layer)
            x.update({node: place + shift for node, place in zip(layer, places, strict=True)})
    return x


def _box(axes: Axes, x: float, y: float, room: str, color: str, members: tuple[str, ...]) -> None:
    corner, style = (x - 0.47, y - HALF_HEIGHT), "round,pad=0,rounding_size=0.06"
    size = 0.94, 2 * HALF_HEIGHT
    axes.add_patch(FancyBboxPatch(corner, *size, boxstyle=style, fc="white", ec=color, lw=1.6, zorder=2))
    text = "\n".join(_wrapped([name.removesuffix(".py") for name in members], 24))
    axes.text(x, y + 0.21, room, ha="center", va="center", fontsize=10, fontweight="bold", zorder=3)
    axes.text(x, y + 0.12, text, ha="center", va="top", fontsize=6.5, color="#404040", zorder=3)


def _wrapped(words: list[str], width: int) -> list[str]:
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) + 1 > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


if __name__ == "__main__":
    targets: dict[str, list[str]] = {}
    for of, to in sorted(true_arrows(read_diagram())):
        targets.setdefault(of, []).append(to)
    for of, all_of in targets.items():
        print(f"    {of} --> {' & '.join(all_of)}")
