"""The page as a file: whole, self-contained, and harmless whatever the search holds."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.tuning.report.searches import EVIL, PNG, TWO, made, spread
from tuning.cli import app
from tuning.report.page import render, write_report


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


def test_no_text_of_a_search_becomes_markup(evil_page: str) -> None:
    page = Elements(evil_page)
    parts = files("dcodr").joinpath("head.html"), files("tuning.report").joinpath("page.html")
    template = "".join(part.read_text() for part in parts)
    assert {tag for tag, _ in page.found} <= {*re.findall("<([a-z][a-z0-9]*)", template)}
    assert len(page.all("script")) == template.count("<script") == 3
    assert not [name for _, attributes in page.found for name in attributes if name.startswith("on")]
    assert any(EVIL in text for text in page.texts)
    assert EVIL not in evil_page


def test_nothing_is_loaded_from_elsewhere(evil_page: str) -> None:
    page = Elements(evil_page)
    for tag, attributes in page.found:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            assert re.match("#|data:(image/png|text/csv);base64,", attributes.get(name) or "#"), (tag, name)
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
    charts = [attributes for attributes in page.all("div") if attributes.get("class") == "chart"]
    assert len(charts) == 1 + 2 + 1 + 1 + 2 + 2
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)
    assert len(page.all("caption")) == len(page.all("table")) >= 4
    assert all(header["scope"] in ("row", "col") for header in page.all("th"))
    assert [tag for tag, _ in page.found if re.fullmatch("h[1-6]", tag)][:2] == ["h1", "h2"]
    ids = [str(attributes["id"]) for _, attributes in page.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [str(a["href"])[1:] for a in page.all("a") if str(a["href"]).startswith("#")]
    assert {*targets} <= {*ids}
    assert len(evil_page) < 6e6


def test_a_search_without_a_complete_trial_has_a_page(tmp_path: Path) -> None:
    text = render(made(tmp_path / "s", []).results())
    assert "No trial is complete yet" in text
    assert "an analysis needs 8 at least" in text


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
    page = Elements(render(made(tmp_path / "s", spread(5, len(objectives)), objectives).results()))
    charts = [attributes for attributes in page.all("div") if attributes.get("class") == "chart"]
    assert len(charts) == 3 + len(objectives)


def test_the_command_writes_one_file(tmp_path: Path) -> None:
    search = made(tmp_path / "runs" / "s", spread(3))
    done = CliRunner().invoke(app, ["report", "s", "--storage", str(tmp_path / "runs")])
    assert done.exit_code == 0, done.output
    file = search.folder / "report.html"
    assert str(file) in done.output.replace("\n", "")
    before = file.read_text(encoding="utf-8")
    write_report(search.results(), tmp_path / "other.html")
    assert (tmp_path / "other.html").read_text(encoding="utf-8").count("<h2") == before.count("<h2") == 7
