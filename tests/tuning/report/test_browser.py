"""The page in a real browser: at two widths, in light and dark."""

import html
import json
import re
import subprocess
from typing import Any

import pytest

from tests.browser import CHROMIUM, OPTIONS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")

# Frames, because a window cannot be as narrow as a phone; they take the colour scheme of their element.
WATCHER = """<!doctype html><body>
<iframe src="report.html" style="width: 1280px; height: 900px; color-scheme: light"></iframe>
<iframe src="report.html" style="width: 390px; height: 800px; color-scheme: dark"></iframe>
<script>
const frames_ = [...document.querySelectorAll("iframe")];
function seen(frame) {
  const page = frame.contentDocument, charts = [...page.querySelectorAll(".chart")];
  return {
    inner: frame.contentWindow.innerWidth,
    scrolled: page.documentElement.scrollWidth,
    background: getComputedStyle(page.body).backgroundColor,
    charts: charts.map((chart) => ({
      name: chart.id,
      points: chart.querySelectorAll(".point, path.js-line, .y-axis").length,
      text: chart.textContent,
      tick: getComputedStyle(chart.querySelector(".xtick text, .axis text") ?? chart).fill,
    })),
    links: page.querySelectorAll(".chart a, .chart image, .chart img").length,
    hacked: frame.contentWindow.hacked !== undefined,
  };
}
function look() {
  const drawn = frames_.every((frame) => frame.contentDocument.querySelector("#effects-1 .point"));
  if (!drawn) return setTimeout(look, 50);
  const result = document.createElement("pre");
  result.id = "result";
  result.textContent = JSON.stringify(frames_.map(seen));
  document.body.replaceChildren(result);
}
look();
</script>"""


@pytest.fixture(scope="module")
def browsed(evil_page: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], str]:
    """Return the visible text of a page with markup in its names, and the browser's console."""
    folder = tmp_path_factory.mktemp("browser")
    (folder / "report.html").write_text(evil_page, encoding="utf-8")
    (folder / "watcher.html").write_text(WATCHER)
    options = [
        *OPTIONS,
        "--allow-file-access-from-files",
        "--enable-logging=stderr",
        "--virtual-time-budget=20000",
    ]
    options += [f"--user-data-dir={folder / 'profile'}", "--dump-dom", f"file://{folder / 'watcher.html'}"]
    done = subprocess.run([str(CHROMIUM), *options], capture_output=True, text=True, timeout=120)
    found = re.search('<pre id="result">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr
    return json.loads(html.unescape(found[1])), done.stderr


def test_the_page_fits_both_widths(browsed: tuple[list[dict[str, Any]], str]) -> None:
    assert [frame["inner"] for frame in browsed[0]] == [1280, 390]
    for frame in browsed[0]:
        assert frame["scrolled"] <= frame["inner"]


def test_every_chart_is_drawn(browsed: tuple[list[dict[str, Any]], str]) -> None:
    for frame in browsed[0]:
        names = [chart["name"] for chart in frame["charts"]]
        assert len(names) == 9
        assert not [chart["name"] for chart in frame["charts"] if not chart["points"]]
        assert not [chart["name"] for chart in frame["charts"] if "WebGL" in chart["text"]]


def test_charts_follow_the_colour_scheme(browsed: tuple[list[dict[str, Any]], str]) -> None:
    light, dark = browsed[0]
    assert (light["background"], dark["background"]) == ("rgb(255, 255, 255)", "rgb(20, 24, 29)")
    assert {chart["tick"] for chart in light["charts"]} == {"rgb(27, 31, 36)"}
    assert {chart["tick"] for chart in dark["charts"]} == {"rgb(230, 233, 237)"}


def test_nothing_a_search_holds_is_run_or_linked(browsed: tuple[list[dict[str, Any]], str]) -> None:
    for frame in browsed[0]:
        assert not frame["hacked"]
        assert frame["links"] == 0
        assert "<script>hacked=1</script>" in "".join(chart["text"] for chart in frame["charts"])


def test_the_console_stays_empty(browsed: tuple[list[dict[str, Any]], str]) -> None:
    said = [line for line in browsed[1].splitlines() if "CONSOLE" in line and "GPU stall" not in line]
    assert said == []
