"""The exported page in a real browser: at two widths, in light and dark, by mouse and by keyboard."""

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import WATCH, Browser, needs_chromium

pytestmark = needs_chromium

DRAWN = """
typeof page !== "undefined" && [...figures.values()].every((figure) => figure.offsetParent === null
  || figure.querySelector(".point, path.js-line, .y-axis, .heatmaplayer image"))
"""
FRONT = "document.querySelector('[data-chart=front] .plot')"
COLUMN = (
    "[...document.querySelectorAll('#trials tbody tr:not([hidden])')].map((row) => row.cells[{}].textContent)"
)


@pytest.fixture(scope="module")
def folder(evil_page: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page of a search whose names are markup."""
    folder = tmp_path_factory.mktemp("browser")
    (folder / "report.html").write_text(evil_page, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def desktop(folder: Path) -> Iterator[Browser]:
    """The page on a large light screen."""
    with Browser(folder / "desktop") as browser:
        yield opened(browser, folder, 1280, "light")


@pytest.fixture(scope="module")
def phone(folder: Path) -> Iterator[Browser]:
    """The page on a small dark screen."""
    with Browser(folder / "phone") as browser:
        yield opened(browser, folder, 390, "dark")


@pytest.fixture
def page(desktop: Browser) -> Iterator[Browser]:
    """The page on a large screen with no trial selected."""
    yield desktop
    desktop.see("close()")


def opened(browser: Browser, folder: Path, width: int, scheme: str) -> Browser:
    # A page draws what is in view: here all of it.
    browser.show(width, 9000, scheme)
    downloads = str(folder / "downloads")
    browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=downloads)
    browser.before_pages(WATCH)
    browser.open((folder / "report.html").as_uri())
    browser.wait(DRAWN)
    browser.show(width, 900, scheme)
    return browser


def selected(browser: Browser) -> int | None:
    """Return the trial that the page says is selected."""
    number = browser.see("selected")
    assert browser.see("document.getElementById('panel').hidden") == (number is None)
    return None if number is None else int(number)


@pytest.mark.long
@pytest.mark.parametrize(("name", "width"), [("desktop", 1280), ("phone", 390)])
def test_the_page_fits_the_screen(name: str, width: int, request: pytest.FixtureRequest) -> None:
    browser: Browser = request.getfixturevalue(name)
    for script in ("close()", "select(3)"):
        browser.see(script)
        browser.wait(DRAWN)
        assert browser.see("innerWidth") == width
        assert browser.see("document.documentElement.scrollWidth") <= width
    browser.see("close()")


def test_the_first_screen_has_the_answer_and_the_plane(desktop: Browser, phone: Browser) -> None:
    bottom = f"{FRONT}.getBoundingClientRect().bottom + scrollY"
    assert desktop.see(bottom) < 900
    assert phone.see(bottom) < 2 * 844
    for browser in (desktop, phone):
        assert browser.see("document.querySelector('.answer').getBoundingClientRect().top + scrollY") < 400


def test_charts_follow_the_colour_scheme(desktop: Browser, phone: Browser) -> None:
    for browser, paper, ink in (
        (desktop, "rgb(255, 255, 255)", "rgb(27, 31, 36)"),
        (phone, "rgb(20, 24, 29)", "rgb(230, 233, 237)"),
    ):
        assert browser.see("getComputedStyle(document.body).backgroundColor") == paper
        fill = (
            "[...new Set([...document.querySelectorAll('.xtick text')].map((t) => getComputedStyle(t).fill))]"
        )
        assert browser.see(fill) == [ink]


def test_nothing_a_search_holds_is_run_or_linked(page: Browser) -> None:
    for number in range(13):
        page.see(f"select({number})")
        page.wait(f"document.getElementById('panel-content').dataset.html.startsWith('{number} ')")
        assert (
            page.see("document.querySelectorAll('#panel a, #panel script, .plot a, .plot img').length") == 0
        )
    assert page.see("typeof hacked") == "undefined"
    assert "<script>hacked=1</script>" in page.see("document.body.textContent")
    assert page.see("errors") == []


def test_a_click_on_a_point_selects_its_trial_everywhere(page: Browser) -> None:
    page.show(1280, 9000, "light")
    page.click(f"{FRONT}.querySelector('.scatterlayer .trace:first-of-type .point')")
    page.wait("selected !== null")
    number = selected(page)
    assert number == page.see(f"{FRONT}.data[0].customdata[0]")
    assert page.see("document.getElementById('panel-title').textContent") == f"Trial {number:03d}"
    rows = (
        "[...document.querySelectorAll('#trials [aria-current=true]')].map((row) => Number(row.dataset.row))"
    )
    assert page.see(rows) == [number]
    plot = "figures.get('{}').querySelector('.plot')"
    for chart in ("front", "slice-0-0", "slice-0-1", "hypervolume"):
        ring = f"{plot.format(chart)}.data.at(-1)"
        page.wait(f"{ring}.marker?.symbol === 'circle-open' && {ring}.x.length > 0")
    assert page.see(f"{plot.format('matrix')}.layout.shapes.length") == 1
    shape = page.see(f"{plot.format('matrix')}.layout.shapes[0]")
    place = page.see(f"page.charts.matrix.data[0].customdata[0].indexOf({number})")
    assert (shape["x0"], shape["x1"]) == (place - 0.5, place + 0.5)
    assert page.see(f"{plot.format('curve-0')}.data.at(-1).name") == f"{number:03d}"
    line = page.see(f"{plot.format('parallel')}.data[0].line")
    place = page.see(f"page.charts.parallel.data[0].customdata.indexOf({number})")
    assert line["color"].index(max(line["color"])) == place
    widths = f"{plot.format('timeline')}.data.flatMap((bar) => bar.marker.line.width)"
    assert sorted(page.see(widths))[-2:] == [1, 4]
    page.show(1280, 900, "light")


def test_the_panel_shows_curves_config_command_and_pictures(page: Browser) -> None:
    number = page.see(f"{FRONT}.data.find((trace) => trace.name === 'best trade-off').customdata[0]")
    page.see(f"select({number})")
    page.wait("document.querySelectorAll('#panel .small .point').length == 4")
    text = page.see("document.getElementById('panel').textContent")
    assert f"--pick trial:{number:03d}" in text
    assert "temperature:" in text
    page.wait("document.querySelector('#panel img').naturalWidth === 1")


def test_a_trial_opens_again_with_its_details(page: Browser) -> None:
    length = "document.getElementById('panel-content').textContent.length"
    page.see("select(3)")
    page.wait(f"{length} > 100")
    page.see("close(); select(3)")
    page.wait(f"{length} > 100")
    page.see("select(4); select(5); select(4)")
    page.wait(f"{length} > 100")
    page.see("close()")


def test_the_keyboard_alone_opens_goes_on_and_closes(page: Browser) -> None:
    button = "document.querySelector('#trials tbody tr:nth-child(2) button')"
    page.see(f"{button}.focus()")
    page.press("Enter")
    rows = page.see("listed()")
    assert selected(page) == rows[1]
    assert page.see("document.activeElement.id") == "panel"
    for _ in range(2):
        page.press("Tab")
    assert page.see("document.activeElement.id") == "next"
    page.press("Enter")
    assert selected(page) == rows[2]
    page.press("Escape")
    assert selected(page) is None
    assert page.see(f"document.activeElement === {button}")


def test_arrow_keys_walk_through_a_chart_from_left_to_right(page: Browser) -> None:
    page.see(f"{FRONT}.focus()")
    reached = []
    for _ in range(4):
        page.press("ArrowRight")
        reached.append(selected(page))
    points = {
        number: x
        for trace in page.see("page.charts.front.data")
        for number, x in zip(trace.get("customdata", []), trace["x"], strict=False)
    }
    places = [points[number] for number in reached if number is not None]
    assert places == sorted(points.values())[:4]
    page.press("ArrowLeft")
    assert selected(page) == reached[-2]


def test_columns_sort_by_keyboard_and_say_so(page: Browser) -> None:
    header = "document.querySelector('#trials th:nth-child(3)')"
    page.see(f"{header}.querySelector('button').focus()")
    before = page.see(COLUMN.format(2))
    for direction, sign in (("ascending", 1), ("descending", -1)):
        page.press("Enter")
        assert page.see(f"{header}.getAttribute('aria-sort')") == direction
        *values, last = page.see(COLUMN.format(2))
        assert last == "-"  # of the failed trial, which has no metrics
        assert values == sorted(values, key=lambda text: sign * float(text))
    page.press("Enter")
    assert page.see(f"{header}.getAttribute('aria-sort')") == "none"
    assert page.see(COLUMN.format(2)) == before


def test_rows_are_found_by_a_word(page: Browser) -> None:
    page.see("document.getElementById('find').focus()")
    page.write("blur")
    shown = page.see(COLUMN.format(6))
    assert 0 < len(shown) < 13
    assert all("blur" in text for text in shown)
    page.see("document.getElementById('find').value = ''; arrange()")
    assert len(page.see(COLUMN.format(6))) == 13


def test_slices_are_of_the_chosen_objective(page: Browser) -> None:
    seen = "[...document.querySelectorAll('[data-slices]')].map((part) => part.hidden)"
    assert page.see(seen) == [False, True]
    chooser = "document.getElementById('slice')"
    page.see(f"{chooser}.value = '1'; {chooser}.dispatchEvent(new Event('change'))")
    assert page.see(seen) == [True, False]
    page.see("document.getElementById('slice').scrollIntoView()")
    page.wait("figures.get('slice-1-0').querySelector('.point') !== null")
    page.see(f"{chooser}.value = '0'; {chooser}.dispatchEvent(new Event('change'))")


def test_charts_and_the_table_are_downloaded(page: Browser, folder: Path) -> None:
    page.click("document.querySelector('[data-chart=front] [data-save=csv]')")
    rows = [*csv.DictReader(downloaded(folder, "front.csv").read_text().splitlines())]
    best = next(row for row in rows if row["series"] == "best trade-off")
    star = page.see("page.charts.front.data.find((trace) => trace.name === 'best trade-off')")
    assert [int(best["trial"]), float(best["x"]), float(best["y"])] == [
        star["customdata"][0],
        star["x"][0],
        star["y"][0],
    ]
    page.see("saveChart(document.querySelector('[data-chart=parallel] [data-save=csv]'))")
    lines = [*csv.DictReader(downloaded(folder, "parallel.csv").read_text().splitlines())]
    assert len(lines) == page.see("page.charts.parallel.data[0].customdata.length")
    assert all(0.05 <= float(line["temperature"]) <= 0.5 for line in lines)
    page.click("document.getElementById('save-table')")
    table = [*csv.reader(downloaded(folder, "table.csv").read_text().splitlines())]
    assert [int(row[0]) for row in table[1:]] == page.see("listed()")
    page.click("document.querySelector('[data-chart=front] [data-save=png]')")
    picture = downloaded(folder, "front.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000
    assert page.see("errors") == []


def downloaded(folder: Path, ending: str) -> Path:
    """Wait for a file that the page saves."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for path in (folder / "downloads").glob(f"*{ending}"):
            if path.stat().st_size:
                return path
        time.sleep(0.05)
    raise AssertionError([path.name for path in (folder / "downloads").glob("*")])
