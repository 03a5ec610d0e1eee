"""The page of a map in a real browser, by mouse and by keyboard, wide and narrow."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcodr.embeddings.map import render_map
from dcodr.embeddings.table import Embeddings
from tests.browser import WATCH, Browser, needs_chromium

pytestmark = needs_chromium

COLORS = ["red", "green", "blue", "yellow", "black"]
PLACES = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [0.5, 0.4]])
CARD = "!document.getElementById('card').hidden && document.getElementById('facts').innerText"
LEGEND = "[...document.querySelectorAll('.legendtext')].map((one) => one.textContent).join()"
DRAWN = "!!document.querySelector('#map .main-svg') && document.getElementById('sheet').complete"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a map of five images, at the corners and in the middle."""
    folder = tmp_path_factory.mktemp("map")
    for color in COLORS:
        Image.new("RGB", (60, 60), color).save(folder / f"{color}.png")
    columns = {
        "path": [f"{color}.png" for color in COLORS],
        "domain": list("ababa"),
        "light": ["0.1", "0.2", "0.3", "0.4", "0.5"],
        "kind": ["<b>toy</b>"] * 5,
        "made of": ["<i>tin</i>", "wood"] * 2 + ["wood"],
    }
    table = Embeddings(np.eye(5, dtype=np.float32), columns, str(folder), 64, "/trained")
    (folder / "map.html").write_text(render_map(table, PLACES, "toys & more", pytest.fail))
    return (folder / "map.html").as_uri()


@pytest.fixture
def browser(page: str, tmp_path: Path) -> Iterator[Browser]:
    """A browser that has opened the map, and that has seen no error at the end."""
    with Browser(tmp_path, 1280, 900) as browser:
        browser.before_pages(WATCH)
        browser.show(1280, 900, "light")
        browser.open(page)
        browser.wait(DRAWN)
        yield browser
        assert browser.see("errors") == []


def point_at(browser: Browser, x: float, y: float) -> None:
    """Move the mouse to a place of the map."""
    axes = "document.getElementById('map')._fullLayout"
    box = browser.see("document.getElementById('map').getBoundingClientRect().toJSON()")
    across = browser.see(f"{axes}.xaxis._offset + {axes}.xaxis.l2p({x})")
    down = browser.see(f"{axes}.yaxis._offset + {axes}.yaxis.l2p({y})")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=box["x"] + across, y=box["y"] + down)


def color_shown(browser: Browser) -> list[int]:
    """The colour in the middle of the image that the card shows."""
    return list(
        browser.see("""(() => {
            const [picture, sheet] = ["picture", "sheet"].map((id) => document.getElementById(id));
            const [x, y] = picture.style.backgroundPosition.split(" ").map(parseFloat);
            const scale = parseFloat(picture.style.backgroundSize) / sheet.naturalWidth;
            const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
            const pen = canvas.getContext("2d");
            pen.drawImage(sheet, (72 - x) / scale, (72 - y) / scale, 1, 1, 0, 0, 1, 1);
            return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
        })()""")
    )


def test_a_point_shows_its_image_and_labels_at_the_pointer(browser: Browser) -> None:
    assert browser.see("document.getElementById('card').hidden")
    for row in (3, 4, 1):
        point_at(browser, *PLACES[row])
        shown = browser.wait(f"({CARD} || '').startsWith('{COLORS[row]}.png') && {CARD}")
        assert shown.splitlines()[1:] == [
            f"domain: {'ababa'[row]}",
            f"light: 0.{row + 1}",
            "kind: <b>toy</b>",
            f"made of: {'wood' if row % 2 or row == 4 else '<i>tin</i>'}",
        ]
        expected = Image.new("RGB", (1, 1), COLORS[row]).getpixel((0, 0))
        assert np.allclose(color_shown(browser), expected, atol=12)  # type: ignore[arg-type]


def test_another_label_colours_the_points(browser: Browser) -> None:
    def choose(label: str) -> None:
        browser.see(f"chooser.value = '{label}'; chooser.dispatchEvent(new Event('change'))")

    assert browser.see(LEGEND) == "a,b"
    assert browser.see("document.getElementById('legend').textContent") == "(2 classes)"
    choose("light")
    browser.wait("!!document.querySelector('#map .colorbar')")
    assert browser.see(LEGEND) == ""
    assert browser.see("document.getElementById('legend').textContent") == "(continuous: a scale)"
    choose("made of")
    browser.wait("!document.querySelector('#map .colorbar')")
    assert sorted(browser.see(LEGEND).split(",")) == ["<i>tin</i>", "wood"]
    choose("kind")
    browser.wait("!document.querySelector('#map .legend')")
    assert browser.see(LEGEND) == ""  # a legend of one colour tells nothing


def test_points_are_reached_by_the_keyboard(browser: Browser) -> None:
    browser.press("Tab")
    browser.press("Tab")
    assert browser.see("document.activeElement.id") == "map"
    for key, row in (("ArrowRight", 0), ("ArrowRight", 4), ("ArrowRight", 1), ("ArrowUp", 3), ("ArrowUp", 3)):
        browser.press(key)
        assert browser.see(CARD).startswith(f"{COLORS[row]}.png")
        assert browser.see("document.querySelectorAll('#map .shapelayer path').length") == 1
    browser.press("Escape")
    assert browser.see("document.getElementById('card').hidden")
    assert browser.see("document.querySelectorAll('#map .shapelayer path').length") == 0


def test_the_page_fits_a_phone(browser: Browser, page: str) -> None:
    browser.show(390, 844, "dark")
    browser.open("about:blank")
    browser.open(page)
    browser.wait(DRAWN)
    assert browser.see("document.documentElement.scrollWidth") == 390
    assert browser.see("document.querySelector('#map .xy').getBoundingClientRect().width") > 250
