"""The page as a file: whole, self-contained, and harmless whatever the search holds."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.tuning.report.searches import EVIL, PNG, TWO, made, spread
from tuning.cli import app
from tuning.report.charts import places
from tuning.report.page import render, write_page
from tuning.report.trials_table import trials_table

PARTS = ("page.html", "macros.html", "trial.html")


class Elements(HTMLParser):
    """Elements with their attributes, texts, and scripts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.texts: list[str] = []
        self.in_script = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.scripts += [""] if tag == "script" else []
        self.in_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self.in_script = False

    def handle_data(self, data: str) -> None:
        if self.in_script:
            self.scripts[-1] += data
        else:
            self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]

    @property
    def data(self) -> Any:
        return json.loads(self.scripts[0])


def all_of(page: str) -> list[Elements]:
    """Return the page, and the details of each trial in it."""
    whole = Elements(page)
    return [whole, *(Elements(details) for details in whole.data["details"].values())]


def test_no_text_of_a_search_becomes_markup(evil_page: str) -> None:
    template = files("dcodr").joinpath("head.html").read_text()
    template += "".join(files("tuning.report").joinpath(part).read_text() for part in PARTS)
    for page in all_of(evil_page):
        assert {tag for tag, _ in page.found} <= {*re.findall("<([a-z][a-z0-9]*)", template)}
        assert not [name for _, attributes in page.found for name in attributes if name.startswith("on")]
        assert any(EVIL in text for text in page.texts)
    assert len(all_of(evil_page)) == 1 + 13
    assert len(Elements(evil_page).all("script")) == template.count("<script") == 3
    assert EVIL not in evil_page


def test_nothing_is_loaded_from_elsewhere(evil_page: str) -> None:
    for page in all_of(evil_page):
        for tag, attributes in page.found:
            for name in ("src", "href", "srcset", "action", "data", "poster"):
                value = attributes.get(name) or "#"
                assert re.match("#|data:(image/png|text/csv);base64,", value), (tag, name)
        assert not page.all("link")
    assert "url(" not in evil_page[: evil_page.index("</style>")]


def test_the_policy_lets_only_the_pages_own_scripts_run(evil_page: str) -> None:
    page = Elements(evil_page)
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv"))
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data: blob:"
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in page.scripts[1:]]
    assert rules["script-src"].split() == ["'unsafe-eval'", *(f"'sha256-{digest}'" for digest in digests)]
    assert "connect-src" not in rules


def test_headings_images_and_tables_are_told_to_screen_readers(evil_page: str) -> None:
    page = Elements(evil_page)
    (picture,) = page.all("img")
    assert picture["src"] == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert re.search(r"nearest neighbours by code \(embedding\), trial \d\d\d", str(picture["alt"]))
    assert len(page.all("caption")) == len(page.all("table")) >= 4
    assert all(header["scope"] in ("row", "col") for header in page.all("th"))
    assert [tag for tag, _ in page.found if re.fullmatch("h[1-6]", tag)][:2] == ["h1", "h2"]
    ids = [str(attributes["id"]) for _, attributes in page.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [str(a["href"])[1:] for a in page.all("a") if str(a["href"]).startswith("#")]
    assert {*targets} <= {*ids}
    assert len(evil_page) < 6e6


def test_every_chart_has_a_place_and_a_text(evil_page: str) -> None:
    page = Elements(evil_page)
    in_page = [str(a["data-chart"]) for a in page.all("figure") if "data-chart" in a]
    drawn = page.data["charts"]
    assert len(in_page) == len({*in_page})
    assert {*in_page} == {*drawn}
    assert len(drawn) == 5 + 2 + 2 + 2 + 2 * 2  # single ones; curves, importances, effects; slices
    assert all(chart["title"] and chart["alt"] for chart in drawn.values())


def test_the_answer_and_the_plane_come_before_all_else(tmp_path: Path) -> None:
    text = render(made(tmp_path / "s", spread(3)).results())
    body = text[text.index("<body>") :]
    order = ["Better than the paper", 'data-chart="front"', 'id="trials-section"', "Dataset</dt>"]
    assert [body.index(part) for part in order] == sorted(body.index(part) for part in order)


def test_a_search_without_a_complete_trial_has_a_page(tmp_path: Path) -> None:
    text = render(made(tmp_path / "s", []).results())
    assert "No trial is complete yet" in text
    assert "an analysis needs 8 at least" in text
    assert Elements(text).data["charts"] == {}


def test_a_trial_can_be_exported_from_its_details(tmp_path: Path) -> None:
    search = made(tmp_path / "runs" / "my cars", spread(3))
    details = Elements(render(search.results())).data["details"]
    assert [*details] == [str(row.number) for row in trials_table(search.results()).rows]
    command = f"python -m tuning export 'my cars' --pick trial:002 --out best --storage {tmp_path}/runs"
    assert command in "".join(Elements(details["2"]).texts)
    assert f"temperature: {search.trials()[2].values['temperature']}" in details["2"]


def test_augmentations_alone_are_ranked(tmp_path: Path) -> None:
    alone = """
  augmentations: {type: subset, members: [crop, affine, grayscale], max_size: 1}
"""
    search = made(tmp_path / "s", [[0.25, 0.5], [0.75, 0.5], [0.5, 0.5]], params=alone, paper=False)
    complete = [trial for trial in search.trials() if trial.status == "complete"]
    ranked = [complete[i].values["augmentations"][0] for i in (1, 2, 0)]
    text = render(search.results())
    rows = re.findall(r'<th scope="row">(\w+)</th>', text[text.index("Each augmentation alone") :])
    assert rows == ranked
    assert "no gain to report" in text


@pytest.mark.parametrize("objectives", [{"invariance": "maximize"}, {**TWO, "domain_accuracy": "minimize"}])
def test_any_number_of_objectives(tmp_path: Path, objectives: dict[str, str]) -> None:
    results = made(tmp_path / "s", spread(5, len(objectives)), objectives).results()
    drawn = Elements(render(results)).data["charts"]
    assert len(drawn) == 5 + len(objectives) * (1 + 2)
    assert [*places(results)["slices"]] == [*objectives]


def test_the_command_writes_one_file(tmp_path: Path) -> None:
    search = made(tmp_path / "runs" / "s", spread(3))
    done = CliRunner().invoke(app, ["report", "s", "--storage", str(tmp_path / "runs")])
    assert done.exit_code == 0, done.output
    file = search.folder / "report.html"
    assert str(file) in done.output.replace("\n", "")
    before = file.read_text(encoding="utf-8")
    write_page(search.results(), tmp_path / "other.html")
    assert (tmp_path / "other.html").read_text(encoding="utf-8").count("<section") == before.count("<section")
