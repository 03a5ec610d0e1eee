"""The diagram of docs/architecture.md against the imports."""

from pathlib import Path

import pytest

from docs.architecture import Diagram, draw, heights, read_diagram, true_arrows


def test_the_diagram_has_the_arrows_that_the_imports_make() -> None:
    diagram = read_diagram()
    true = true_arrows(diagram)
    missing, wrong = sorted(true - diagram.arrows), sorted(diagram.arrows - true)
    assert (missing, wrong) == ([], []), "see: python -m docs.architecture"


def test_every_room_is_of_files_that_are_there() -> None:
    root = Path(__file__).parents[2]
    for package, members in read_diagram().rooms.values():
        for member in members:
            assert (root / package / member).exists(), f"{package}/{member}"


def test_a_file_without_a_room_is_noticed() -> None:
    diagram = read_diagram()
    rooms = {name: room for name, room in diagram.rooms.items() if name != "losses"}
    with pytest.raises(ValueError, match=r"in no room of the diagram: dcodr\.losses, dcodr\.losses\."):
        true_arrows(Diagram(rooms, diagram.arrows))


def test_rooms_that_import_each_other_are_noticed() -> None:
    rooms = dict(read_diagram().rooms)
    del rooms["sampling"]
    rooms["pareto"] = "tuning", ("pareto.py", "sampling/")
    with pytest.raises(ValueError, match=r"a circle: .*pareto"):
        true_arrows(Diagram(rooms, frozenset()))


def test_a_room_is_drawn_above_all_that_it_imports(tmp_path: Path) -> None:
    diagram = read_diagram()
    height = heights(diagram)
    assert all(height[of] > height[to] for of, to in diagram.arrows)
    draw(diagram, tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").stat().st_size > 10_000
