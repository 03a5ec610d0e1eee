"""Tests of ``dcodr.data.folder`` and, through it, of ``dcodr.data.csv_table``."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dcodr.data.dataset import Attribute
from dcodr.data.folder import read_folder
from dcodr.errors import UserError

HEADER = "path,domain,colour,angle,x"
ROWS = [
    "a0.png,cup,red,90,0.5",
    "a1.png,cup,blue,0,1.5e1",
    "b0.png,bowl,red,180,-2",
    "b1.png,bowl,blue,90,3.",
]


def folder(tmp_path: Path, rows: list[str] | None = None, header: str = HEADER) -> Path:
    """A folder of four small images and a CSV file with these lines."""
    for index, name in enumerate(("a0", "a1", "b0", "b1")):
        Image.new("RGB", (20, 20), (10 * index, 0, 0)).save(tmp_path / f"{name}.png")
    path = tmp_path / "labels.csv"
    path.write_text("\n".join([header, *(ROWS if rows is None else rows)]), encoding="utf-8")
    return path


def changed(row: int, old: str, new: str) -> list[str]:
    assert old in ROWS[row]
    return [*ROWS[:row], ROWS[row].replace(old, new), *ROWS[row + 1 :]]


def test_images_and_labels_are_read(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    spec, images, domain, attributes = read_folder(
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
    assert calls == [(done, 4) for done in (1, 2, 3, 4)]


def test_integers_are_continuous_where_told(tmp_path: Path) -> None:
    spec, _, _, attributes = read_folder(folder(tmp_path), "dishes", continuous=["angle"])
    assert spec.attributes[1] == Attribute("angle", None)
    np.testing.assert_array_equal(attributes["angle"], [[90], [0], [180], [90]])


def test_integer_domains_and_names_in_other_scripts_keep_their_spelling(tmp_path: Path) -> None:
    rows = ["a0.png,010,schön", "a1.png,010,漢字", "b0.png,9,schön", "b1.png,9,漢字"]
    spec, _, domain, _ = read_folder(folder(tmp_path, rows, "path,domain,name"), "n")
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
    spec, _, _, _ = read_folder(path, "dishes")
    assert spec.domains == ("bowl", "cup")
    assert spec.attributes[0].classes == ("blue", "red")


def test_images_may_lie_under_another_root_and_attributes_are_optional(tmp_path: Path) -> None:
    folder(tmp_path)
    labels = tmp_path / "labels"
    labels.mkdir()
    path = labels / "list.csv"
    path.write_text("domain,path\na,a0.png\na,a1.png\nb,b0.png\nb,b1.png\n")
    spec, images, _, attributes = read_folder(path, "dishes", root=tmp_path)
    assert (spec.attributes, attributes, len(images)) == ((), {}, 4)


def read_one(tmp_path: Path, image: Image.Image, name: str, size: int = 32, **options: Any) -> np.ndarray:
    """What becomes of an image that is saved under a name."""
    path = folder(tmp_path, [f"{name},cup,red,90,0.5", *ROWS[1:]])
    image.save(tmp_path / name, **options)
    pixels: np.ndarray = read_folder(path, "dishes", image_size=size)[1][0]
    return pixels


def gradient(width: int, height: int) -> Image.Image:
    """Red grows to the right and green downwards."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 0 * x + 80], axis=-1).astype(np.uint8))


@pytest.mark.parametrize(("width", "height"), [(96, 64), (64, 96), (64, 64)])
def test_the_square_in_the_middle_is_resized(tmp_path: Path, width: int, height: int) -> None:
    image = gradient(width, height)
    left, top = (width - 64) // 2, (height - 64) // 2
    square = image.crop((left, top, left + 64, top + 64))
    expected = np.asarray(square.resize((32, 32), Image.Resampling.LANCZOS)).astype(int)
    # At the edge of the square Lanczos may look beyond it.
    difference = np.abs(read_one(tmp_path, image, "new.png") - expected)[3:-3, 3:-3]
    assert difference.max() <= 1


def test_a_large_jpeg_decoded_at_reduced_scale_is_the_same_image(tmp_path: Path) -> None:
    image = gradient(1200, 1200)
    expected = np.asarray(image.resize((32, 32), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(read_one(tmp_path, image, "new.jpg", quality=95) - expected).max() <= 4


def test_the_exif_orientation_is_applied(tmp_path: Path) -> None:
    image = gradient(64, 64)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it a quarter turn clockwise
    expected = image.transpose(Image.Transpose.ROTATE_270).resize((32, 32), Image.Resampling.LANCZOS)
    difference = np.abs(read_one(tmp_path, image, "new.png", exif=exif) - np.asarray(expected).astype(int))
    assert difference.max() <= 1


def test_transparency_becomes_white(tmp_path: Path) -> None:
    image = gradient(64, 64).convert("RGBA")
    image.putalpha(Image.fromarray(np.repeat(np.array([[0, 255]], np.uint8), 32, axis=1).repeat(64, axis=0)))
    pixels = read_one(tmp_path, image, "new.png", size=64)
    assert (pixels[:, :31] == 255).all()
    np.testing.assert_array_equal(pixels[:, 33:], np.asarray(gradient(64, 64))[:, 33:])


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
def test_other_pixel_formats_are_converted(tmp_path: Path, mode: str) -> None:
    image = gradient(64, 64).convert(mode)
    name = "new.tif" if mode == "CMYK" else "new.png"
    np.testing.assert_array_equal(read_one(tmp_path, image, name, size=64), np.asarray(image.convert("RGB")))


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
        (changed(2, "180", "nan"), HEADER, "line 4, column angle: nan is no label"),
        (changed(2, "bowl", "NaN"), HEADER, "line 4, column domain: NaN is no label"),
        (changed(3, "3.", "inf"), HEADER, "line 5, column x: inf is no label"),
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
        read_folder(folder(tmp_path, rows, header), "dishes")


def test_a_word_among_numbers_told_to_be_continuous_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path, changed(1, ",0,", ",none,"))
    with pytest.raises(UserError, match="line 3, column angle: none is not a finite number"):
        read_folder(path, "dishes", continuous=["angle"])


def test_an_unknown_continuous_attribute_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no attribute size .* colour, angle, x"):
        read_folder(folder(tmp_path), "dishes", continuous=["size"])


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dataset name 'my dishes'"):
        read_folder(folder(tmp_path), "my dishes")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("\n\n")
    with pytest.raises(UserError, match=r"labels\.csv is empty"):
        read_folder(path, "dishes")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv cannot be read: No such file"):
        read_folder(tmp_path / "none.csv", "dishes")


def test_another_encoding_is_refused_by_line(tmp_path: Path) -> None:
    path = folder(tmp_path)
    path.write_bytes(path.read_text().replace("bowl,red", "böwl,red").encode("latin-1"))
    with pytest.raises(UserError, match=r"labels\.csv, line 4: byte 0xf6 is not UTF-8"):
        read_folder(path, "dishes")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = folder(inside)
    (inside / "b0.png").rename(tmp_path / "outside.png")
    (inside / "b0.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(UserError, match=r"line 4, column path: b0\.png leaves"):
        read_folder(path, "dishes")


@pytest.mark.parametrize("kept", [0, 30, 300])
@pytest.mark.parametrize("name", ["b0.png", "b0.jpg"])
def test_a_truncated_image_is_refused(tmp_path: Path, name: str, kept: int) -> None:
    path = folder(tmp_path, changed(2, "b0.png", name))
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:kept])
    with pytest.raises(UserError, match=rf"line 4, column path: .*{name} is not an image that can be read"):
        read_folder(path, "dishes")


def test_an_image_of_more_than_eight_bits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"line 2, column path: .*convert it to 8 bits"):
        read_one(tmp_path, Image.fromarray(np.zeros((9, 9), np.uint16)), "deep.png")


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UserError, match=r"line 2, column path: .*decompression bomb"):
        read_folder(folder(tmp_path), "dishes")


def test_postscript_is_never_run(tmp_path: Path) -> None:
    path = folder(tmp_path, changed(0, "a0.png", "a0.eps"))
    gradient(8, 8).save(tmp_path / "a0.eps")
    with pytest.raises(UserError, match=r"line 2, column path: .*a0\.eps is not an image that can be read"):
        read_folder(path, "dishes")
