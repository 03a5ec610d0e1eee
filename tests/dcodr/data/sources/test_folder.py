"""The labels of a folder: ``read_folder`` and, through it, ``csv_table``, ``cells`` and ``labelled``."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcodr.data.dataset import Attribute
from dcodr.data.sources.folder import read_folder
from dcodr.errors import UserError
from tests.dcodr.data.sources.dishes import HEADER, ROWS, changed, folder, read_all


def test_images_and_labels_are_read(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    spec, images, domain, attributes = read_all(
        folder(tmp_path), "dishes", image_size=16, on_progress=lambda done, total: calls.append((done, total))
    )
    assert (spec.name, spec.domains) == ("dishes", ("bowl", "cup"))
    assert spec.attributes == (
        Attribute("colour", 2, classes=("blue", "red")),
        Attribute("angle", 3, classes=("0", "90", "180")),
        Attribute("x", None),
    )
    assert images.shape == (4, 16, 16, 3)
    np.testing.assert_array_equal(images[:, 0, 0], [[0, 0, 0], [10, 0, 0], [20, 0, 0], [30, 0, 0]])
    np.testing.assert_array_equal(domain, [1, 1, 0, 0])
    np.testing.assert_array_equal(attributes["colour"], [1, 0, 1, 0])
    np.testing.assert_array_equal(attributes["angle"], [1, 0, 2, 1])
    np.testing.assert_array_equal(attributes["x"], np.array([[0.5], [15], [-2], [3]], np.float32))
    assert attributes["x"].dtype == np.float32
    assert calls == [(done, 4) for done in sorted(done for done, _ in calls)]
    assert calls[-1] == (4, 4)


def test_integers_are_continuous_where_told(tmp_path: Path) -> None:
    spec, _, _, attributes = read_all(folder(tmp_path), "dishes", continuous=["angle"])
    assert spec.attributes[1] == Attribute("angle", None)
    np.testing.assert_array_equal(attributes["angle"], [[90], [0], [180], [90]])


def test_integer_domains_and_names_in_other_scripts_keep_their_spelling(tmp_path: Path) -> None:
    rows = ["a0.png,010,schön", "a1.png,010,漢字", "b0.png,9,schön", "b1.png,9,漢字"]
    spec, _, domain, _ = read_all(folder(tmp_path, rows, "path,domain,name"), "n")
    assert spec.domains == ("9", "010")
    assert spec.attributes[0].classes == ("schön", "漢字")
    np.testing.assert_array_equal(domain, [1, 1, 0, 0])


def test_quotes_blanks_blank_lines_and_a_byte_order_mark_are_understood(tmp_path: Path) -> None:
    path = folder(tmp_path)
    text = (
        path.read_text()
        .replace(",cup,", ', "cup" ,')
        .replace("\nb0", "\r\n\r\nb0")
        .replace(' "cup" ', '"cup"')
    )
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("red", " red ").encode())
    spec, _, _, _ = read_all(path, "dishes")
    assert spec.domains == ("bowl", "cup")
    assert spec.attributes[0].classes == ("blue", "red")


def test_images_may_lie_under_another_root_and_attributes_are_optional(tmp_path: Path) -> None:
    folder(tmp_path)
    labels = tmp_path / "labels"
    labels.mkdir()
    path = labels / "list.csv"
    path.write_text("domain,path\na,a0.png\na,a1.png\nb,b0.png\nb,b1.png\n")
    spec, images, _, attributes = read_all(path, "dishes", root=tmp_path)
    assert (spec.attributes, attributes, len(images)) == ((), {}, 4)


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (ROWS, "path,label,colour,angle,x", "line 1, column domain: no such column"),
        (ROWS, "file,domain,colour,angle,x", "line 1, column path: no such column"),
        (ROWS, "path,domain,colour,colour,x", "line 1, column colour: .* more than once"),
        (ROWS, "path,domain,colour,,x", "line 1: a column of the header has no name"),
        (ROWS, "path,domain,colour,a/b,x", "column a/b: rename it"),
        ([], HEADER, "has a header but no rows"),
        (changed(1, "blue", ""), HEADER, "line 3, column colour: empty cell"),
        (changed(1, "cup", "  "), HEADER, "line 3, column domain: empty cell"),
        (changed(2, ",180", ""), HEADER, "line 4: 4 cells for 5 columns"),
        (changed(2, "180", "nan"), HEADER, "line 4, column angle: nan is not a label"),
        (changed(2, "bowl", "NaN"), HEADER, "line 4, column domain: NaN is not a label"),
        (changed(3, "3.", "inf"), HEADER, "line 5, column x: inf is not a label"),
        (changed(3, "3.", "1e60"), HEADER, "line 5, column x: 1e60 is not a finite number"),
        (changed(3, "3.", '"3'), HEADER, "line 5: unexpected end of data"),
        (changed(0, "cup", "mug"), HEADER, "line 2, column domain: domain mug has only this image"),
        ([row.replace("bowl", "cup") for row in ROWS], HEADER, "column domain: all rows have the domain cup"),
        ([row.replace("blue", "red") for row in ROWS], HEADER, "column colour: all rows have the same value"),
        (changed(2, "b0.png", "missing.png"), HEADER, "line 4, column path: no file .*missing.png"),
        (changed(2, "b0.png", "."), HEADER, "line 4, column path: no file"),
        (changed(2, "b0.png", "../b0.png"), HEADER, r"line 4, column path: \.\./b0\.png leaves"),
        (changed(2, "b0.png", "x/../b0.png"), HEADER, "line 4, column path: .* leaves"),
        (changed(2, "b0.png", "/b0.png"), HEADER, "line 4, column path: /b0.png leaves"),
        (changed(2, "b0.png", "n" * 300), HEADER, "line 4, column path: "),
        (changed(2, "b0.png", "a1.png"), HEADER, "line 4, column path: a1.png is already on line 3"),
        (changed(2, "b0.png", "labels.csv"), HEADER, "line 4, column path: .*labels.csv is not an image"),
    ],
)
def test_bad_labels_are_refused_by_line_and_column(
    tmp_path: Path, rows: list[str], header: str, message: str
) -> None:
    with pytest.raises(UserError, match=rf"labels\.csv.*{message}"):
        read_all(folder(tmp_path, rows, header), "dishes")


def told(path: Path, **options: Any) -> list[str]:
    with pytest.raises(UserError) as error:
        read_all(path, "dishes", **options)
    return [line.removeprefix(f"{path}, ") for line in str(error.value).splitlines()]


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    rows = [
        "a0.png,cup,red,0,0.5",
        "gone.png,,red,45,",
        "a1.png,cup,NA,45,1.5",
        "b0.png,bowl,blue,90",
        "../b0.png,bowl,blue,90,many",
        "b1.png,?,blue,90,2.5",
        "a0.png,cup,red,0,3.5",
    ]
    path = folder(tmp_path, rows)
    expected = [
        "line 3, column domain: empty cell",
        "line 3, column x: empty cell",
        "line 5: 4 cells for 5 columns",
        "line 7, column domain: ? is not a label",
        "line 4, column colour: NA is not a label",
        "line 6, column x: many is not a finite number",
        f"{path} has no attribute turn to be cyclic",
        f"line 3, column path: no file {tmp_path}/gone.png",
        "line 6, column path: ../b0.png leaves",
        "line 8, column path: a0.png is already on line 2",
    ]
    found = told(path, continuous=["x"], cyclic=["turn"])
    assert len(found) == len(expected)
    for line, beginning in zip(found, expected, strict=True):
        assert line.startswith(beginning)


def test_all_unusable_columns_are_told_at_once_with_missing_files(tmp_path: Path) -> None:
    rows = [f"{name}.png,{domain},red,0,1" for name, domain in zip("abcd", "xyzz", strict=True)]
    found = told(folder(tmp_path, rows))
    for column in ("colour", "angle", "x"):
        assert any(f"column {column}: all rows have the same value" in line for line in found)
    for domain in ("x", "y"):
        assert any(f"column domain: domain {domain} has only this image" in line for line in found)
    assert sum("no file" in line for line in found) == 4
    assert len(found) == 9


def test_all_mistakes_of_a_header_are_told_at_once(tmp_path: Path) -> None:
    found = told(folder(tmp_path, ROWS, "file,label,colour,colour,x"))
    assert [line.split(":")[0] for line in found] == [
        "line 1, column colour",
        "line 1, column path",
        "line 1, column domain",
    ]


def test_of_very_many_mistakes_the_first_are_told_and_the_others_counted(tmp_path: Path) -> None:
    rows = [f"{row}.png,{'cup' if row % 2 else ''},red" for row in range(2000)]
    path = folder(tmp_path, rows, "path,domain,colour")
    found = told(path)
    assert len(found) == 42
    assert found[0].startswith("line 2, column domain: empty cell")
    assert found[20] == f"{path}: and 980 more unusable rows"
    assert found[-1] == f"{path}: and 1,980 more unusable paths"


def test_the_user_is_told_before_many_files_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    read_folder(folder(tmp_path), "dishes", note=said.append)
    assert said == []
    monkeypatch.setattr("dcodr.data.sources.folder.MANY", 4)
    read_folder(tmp_path / "labels.csv", "dishes", note=said.append)
    assert said == ["checking 4 files"]


def test_a_word_among_numbers_told_to_be_continuous_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path, changed(1, ",0,", ",none,"))
    with pytest.raises(UserError, match="line 3, column angle: none is not a finite number"):
        read_all(path, "dishes", continuous=["angle"])


def test_an_unknown_continuous_attribute_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no attribute size .* colour, angle, x"):
        read_all(folder(tmp_path), "dishes", continuous=["size"])


@pytest.mark.parametrize(
    "mark",
    [
        "NA",
        "na",
        "N/A",
        "n/a",
        "NaN",
        "-nan",
        "null",
        "NULL",
        "<NA>",
        "-",
        "--",
        "\u2013",
        "?",
        ".",
        "inf",
        "#N/A",
        "#REF!",
    ],
)
@pytest.mark.parametrize("column", ["domain", "colour", "angle", "x"])
def test_marks_of_missing_values_are_refused_by_line(tmp_path: Path, mark: str, column: str) -> None:
    row = dict(zip(HEADER.split(","), ROWS[2].split(","), strict=True)) | {column: mark}
    path = folder(tmp_path, [*ROWS[:2], ",".join(row.values()), ROWS[3]])
    kinds: list[dict[str, Any]] = [{}, {"continuous": ["x"]}, {"categorical": ["x"]}]
    for kind in kinds:
        with pytest.raises(
            UserError, match=rf"labels\.csv, line 4, column {column}: {re.escape(mark)} is not a label"
        ):
            read_all(path, "dishes", **kind)


def test_words_that_are_no_marks_are_classes(tmp_path: Path) -> None:
    words = ["Na", "none", "no-data", "unknown"]
    rows = [f"{row.split(',')[0]},{row.split(',')[1]},{word}" for row, word in zip(ROWS, words, strict=True)]
    spec = read_all(folder(tmp_path, rows, "path,domain,word"), "dishes")[0]
    assert spec.attributes[0].classes == tuple(sorted(words))


def read_column(tmp_path: Path, cells: list[str], **kind: Any) -> tuple[Attribute, list[float], list[str]]:
    """Read an attribute v of four rows; return it with the warnings."""
    said: list[str] = []
    rows = [
        f'{name}.png,{name[0]},"{cell}"' for name, cell in zip(("a0", "a1", "b0", "b1"), cells, strict=True)
    ]
    path = folder(tmp_path, rows, "path,domain,v")
    spec, _, _, attributes = read_all(path, "n", warn=said.append, **kind)
    for message in said:
        assert message.startswith(f"{path}, column v: taken as ")
    return spec.attributes[0], attributes["v"].ravel().tolist(), said


@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        (["0.31", "0.72", "0,62", "0.4"], "'0,62' on line 4"),
        (["0,31", "0,72", "0,62", "0,31"], "'0,31' on line 2, '0,72' on line 3, '0,62' on line 4"),
        (["0.5 m", "0.6 m", "0.5 m", "1.5 m"], "'0.5 m' on line 2"),
        (["0.31", "0.72", "none", "0.31"], "'none' on line 4"),
        (["5 %", "10 %", "7.5%", "5 %"], "'5 %' on line 2"),
    ],
)
def test_numbers_with_a_few_other_cells_are_doubted(tmp_path: Path, cells: list[str], shown: str) -> None:
    attribute, _, (message,) = read_column(tmp_path, cells)
    assert attribute.cardinality == len(set(cells))
    assert (
        f"taken as {len(set(cells))} classes, though most of its cells are numbers, but not {shown}"
        in message
    )
    assert "continuous=['v'] or categorical=['v'] settles it" in message
    assert read_column(tmp_path, cells, categorical=["v"])[::2] == (attribute, [])
    with pytest.raises(UserError, match="is not a finite number"):
        read_column(tmp_path, cells, continuous=["v"])


@pytest.mark.parametrize("cells", [["17", "4", "90", "33"], ["w", "x", "y", "z"]])
def test_a_value_of_its_own_in_every_row_is_doubted(tmp_path: Path, cells: list[str]) -> None:
    attribute, _, (message,) = read_column(tmp_path, cells)
    assert attribute.cardinality == 4
    assert f"every row has a different value ('{cells[0]}' on line 2, '{cells[1]}' on line 3" in message
    assert read_column(tmp_path, cells, categorical=["v"])[2] == []


def test_whole_numbers_with_a_decimal_point_are_doubted(tmp_path: Path) -> None:
    cells = ["10.0", "1.0", "2.0", "1.0"]
    attribute, values, (message,) = read_column(tmp_path, cells)
    assert (attribute.cardinality, values) == (None, [10, 1, 2, 1])
    assert (
        "taken as continuous, though all its numbers are whole ('10.0' on line 2, '1.0' on line 3" in message
    )
    assert read_column(tmp_path, cells, continuous=["v"])[::2] == (attribute, [])
    attribute, values, said = read_column(tmp_path, cells, categorical=["v"])
    assert (attribute.classes, values, said) == (("1.0", "2.0", "10.0"), [2, 0, 1, 0], [])


@pytest.mark.parametrize(
    "cells", [["True", "true", "TRUE", "no"], ["7", "07", "8", "8"], ["new  car", "new car", "b", "b"]]
)
def test_one_class_in_several_spellings_is_doubted(tmp_path: Path, cells: list[str]) -> None:
    attribute, _, said = read_column(tmp_path, cells)
    assert attribute.cardinality == len(set(cells))
    (message,) = [message for message in said if "spell them alike" in message]
    assert f"{cells[0]!r} on line 2" in message
    assert f"{cells[1]!r} on line 3" in message


def test_domains_in_several_spellings_are_doubted(tmp_path: Path) -> None:
    rows = [f"{name},{domain}" for name, domain in zip(("a0.png", "a1.png"), ("Cup", "Cup"), strict=True)]
    rows += ["b0.png,cup", "b1.png,cup"]
    said: list[str] = []
    assert read_all(folder(tmp_path, rows, "path,domain"), "n", warn=said.append)[0].domains == ("Cup", "cup")
    assert "column domain: taken as 2 classes: 'Cup' on line 2, 'cup' on line 4" in said[0]


@pytest.mark.parametrize(
    "cells",
    [
        ["0.31", "0.72", "1e-3", "4"],
        ["1", "2", "1", "2"],
        ["red", "blue", "red", "10a"],
        ["10a", "10b", "10a", "10b"],
    ],
)
def test_plain_columns_are_not_doubted(tmp_path: Path, cells: list[str]) -> None:
    assert read_column(tmp_path, cells)[2] == []


def test_an_attribute_is_of_one_kind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="angle cannot be both continuous and categorical"):
        read_all(folder(tmp_path), "dishes", continuous=["angle"], categorical=["angle"])
    with pytest.raises(
        UserError, match=r"no attribute size to be categorical; its attributes: colour, angle, x"
    ):
        read_all(folder(tmp_path), "dishes", categorical=["size"])


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dataset name 'my dishes'"):
        read_all(folder(tmp_path), "my dishes")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("\n\n")
    with pytest.raises(UserError, match=r"labels\.csv is empty"):
        read_all(path, "dishes")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv cannot be read: No such file"):
        read_all(tmp_path / "none.csv", "dishes")


def test_another_encoding_is_refused_by_line(tmp_path: Path) -> None:
    path = folder(tmp_path)
    path.write_bytes(path.read_text().replace("bowl,red", "böwl,red").encode("latin-1"))
    with pytest.raises(UserError, match=r"labels\.csv, line 4: byte 0xf6 is not UTF-8"):
        read_all(path, "dishes")
