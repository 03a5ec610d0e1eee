"""A table of systems, as text, CSV and Markdown."""

import csv
import io

import pytest
from rich.console import Console

from dcodr.data.sources.cars3d import CARS3D
from dcodr.data.sources.celeba import CELEBA
from dcodr.studies.comparison import Comparison, Metrics, unpublished
from dcodr.studies.paper_tables import METHODS, PAPER_TABLES, PaperTable

TABLE = PaperTable(
    "Two figures",
    "shoes",
    {"Domain": "domain_accuracy", "All": "retrieval_top1/all"},
    {method: cells[:2] for method, cells in PAPER_TABLES[3].cells.items()},
    ("0", "1"),
)


def metrics(domain: float, retrieval: float) -> dict[str, float]:
    return {"domain_accuracy": domain, "retrieval_top1/all": retrieval, "effective_rank": 9.0}


def test_measured_below_published_and_the_rest_empty() -> None:
    filled = Comparison(
        TABLE, {"lord": [metrics(0.25, 0.5)], "dcodr": [metrics(0.1, 0.5), metrics(0.2, 0.9)]}
    )
    rows = filled.rows()
    assert rows[:4] == [
        ("simclr", "published", "0.956", "0.838"),
        ("", "measured", "", ""),
        ("lord", "published", "0.393", "0.731"),
        ("", "measured", "0.250", "0.500"),
    ]
    assert rows[-2] == ("", "measured, 2 seeds", "0.150 ± 0.071", "0.700 ± 0.283")
    assert rows[-1] == ("optimal", "", "0", "1")


def test_the_ceiling_of_retrieval_stands_below_the_figures() -> None:
    filled = Comparison(TABLE, {"dcodr": [{**metrics(0.1, 0.03), "retrieval_ceiling/all": 0.039}]})
    assert filled.rows()[-1] == ("ceiling", "this store", "", "0.039")
    lines = filled.markdown().splitlines()
    assert "| ceiling | this store |  | 0.039 |" in lines
    assert "all other training and test images" in lines[-1]
    console = Console(record=True, width=200)
    console.print(filled.text())
    printed = " ".join(console.export_text().split())
    assert "all other training and test images" in printed
    assert "0.039" in printed
    by_cell = {(row["system"], row["metric"]): row for row in csv.DictReader(io.StringIO(filled.csv()))}
    assert by_cell["simclr", "retrieval_top1/all"]["ceiling"] == "0.039"
    assert by_cell["dcodr", "domain_accuracy"]["ceiling"] == ""


def test_tables_without_retrieval_say_nothing_of_it() -> None:
    filled = Comparison(unpublished(CELEBA), {"dcodr": [{"domain_accuracy": 0.1, "error/landmarks": 2.0}]})
    assert filled.rows()[-1] == ("dcodr", "measured", "0.100", "2.000")
    assert "etrieval" not in filled.markdown()


def test_the_csv_holds_every_digit() -> None:
    filled = Comparison(TABLE, {"dcodr": [metrics(0.1, 0.5), metrics(0.2, 0.9)]})
    rows = list(csv.DictReader(io.StringIO(filled.csv())))
    assert len(rows) == len(METHODS) * 2
    by_cell = {(row["system"], row["metric"]): row for row in rows}
    row = by_cell["dcodr", "domain_accuracy"]
    assert row["published"] == "0.143"
    assert float(row["measured"]) == (0.1 + 0.2) / 2
    assert float(row["deviation"]) == pytest.approx(0.05 * 2**0.5, rel=1e-15)
    assert row["seeds"] == "2"
    empty = by_cell["simclr", "retrieval_top1/all"]
    assert (empty["measured"], empty["deviation"], empty["seeds"]) == ("", "", "0")


def test_markdown_and_text_have_the_same_cells() -> None:
    filled = Comparison(TABLE, {"dcodr": [metrics(0.1, 0.5)]})
    lines = filled.markdown().splitlines()
    assert lines[0] == "| system |  | Domain | All |"
    rows = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in rows} == {5}
    assert rows[-2] == "|  | measured | 0.100 | 0.500 |"
    console = Console(record=True, width=200)
    console.print(filled.text())
    printed = console.export_text()
    assert all(cell in printed for row in filled.rows() for cell in row)


def test_every_form_of_the_table_names_the_start_of_the_encoders() -> None:
    run: list[Metrics] = [metrics(0.1, 0.5)]
    filled = Comparison(
        TABLE, {"dcodr": run, "lord": run}, {"dcodr": "random weights", "lord": "random weights"}
    )
    start = (
        "Measured encoders start from random weights. "
        "Published encoders start from MoCo-v2 (800 epochs) with its hidden layer."
    )
    assert f" |\n\n{start}\n" in filled.markdown()
    console = Console(record=True, width=300)
    console.print(filled.text())
    assert start in " ".join(console.export_text().split())
    rows = list(csv.DictReader(io.StringIO(filled.csv())))
    assert {(row["system"], row["start"]) for row in rows if row["start"]} == {
        ("dcodr", "random weights"),
        ("lord", "random weights"),
    }
    filled.starts["lord"] = "moco.pth with its hidden layer"
    assert "from moco.pth with its hidden layer (lord); random weights (dcodr)." in filled.start()
    assert Comparison(unpublished(CELEBA), {}, {"dcodr": "random weights"}).start() == (
        "Measured encoders start from random weights."
    )
    assert Comparison(TABLE).start() == ""


def test_a_dataset_without_a_published_table() -> None:
    cars = unpublished(CARS3D)
    assert cars.columns["azimuth"] == "accuracy/azimuth"
    assert cars.columns["retrieval: all"] == "retrieval_top1/all"
    assert list(unpublished(CELEBA).columns.values()) == ["domain_accuracy", "error/landmarks"]
    rows = Comparison(unpublished(CELEBA)).rows()
    assert rows == [(method, "measured", "", "") for method in METHODS]
