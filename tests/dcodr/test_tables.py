"""Tables whose cells hold what separates cells."""

import csv

from dcodr.tables import csv_text, markdown_table


def test_csv_reads_back() -> None:
    rows = [["a,b", '"quoted"'], ["two\nlines", "0.1"]]
    assert [*csv.reader(csv_text(["name", "value"], rows).splitlines(keepends=True))] == [
        ["name", "value"],
        *rows,
    ]
    assert csv_text(["name", "value"], [("none", None)]) == "name,value\nnone,\n"


def test_a_bar_or_a_line_break_does_not_break_a_markdown_table() -> None:
    assert markdown_table(["name", "value"], [["a|b", "two\nlines"]]) == (
        "| name | value |\n| --- | --- |\n| a\\|b | two lines |"
    )
