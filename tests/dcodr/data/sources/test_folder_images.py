"""The images of a folder: squares, formats and links, and files that are no images or too large."""

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dcodr.data.sources import image_files
from dcodr.errors import UserError
from tests.dcodr.data.sources.dishes import ROWS, changed, folder, read_all


def read_one(tmp_path: Path, image: Image.Image, name: str, size: int = 32, **options: Any) -> np.ndarray:
    """Save an image under a name and return it as read."""
    path = folder(tmp_path, [f"{name},cup,red,90,0.5", *ROWS[1:]])
    image.save(tmp_path / name, **options)
    pixels: np.ndarray = read_all(path, "dishes", image_size=size)[1][0]
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


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = folder(inside)
    (inside / "b0.png").rename(tmp_path / "outside.png")
    (inside / "b0.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(
        UserError,
        match=r"line 4, column path: b0\.png is .*outside\.png, because b0\.png is a link;.*root=\.\.\.",
    ):
        read_all(path, "dishes")


def test_a_linked_folder_says_that_links_are_not_followed(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (inside / "photos").symlink_to(tmp_path / "elsewhere")
    folder(tmp_path / "elsewhere")
    rows = [f"photos/{row}" for row in ROWS]
    message = (
        r"line 2, column path: photos/a0\.png is .*elsewhere/a0\.png, because photos is a link; links out of "
    )
    with pytest.raises(UserError, match=message):
        read_all(folder(inside, rows), "dishes")
    path = folder(inside)
    assert len(read_all(path, "dishes", root=tmp_path / "elsewhere")[1]) == 4


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    path = folder(tmp_path, changed(0, "a0.png", "linked/new.png"))
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    Image.new("RGB", (20, 20), (99, 0, 0)).save(tmp_path / "real" / "new.png")
    assert read_all(path, "dishes")[1][0, 0, 0, 0] == 99


@pytest.mark.parametrize("kept", [0, 30, 300])
@pytest.mark.parametrize("name", ["b0.png", "b0.jpg"])
def test_a_truncated_image_is_refused(tmp_path: Path, name: str, kept: int) -> None:
    path = folder(tmp_path, changed(2, "b0.png", name))
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:kept])
    with pytest.raises(UserError, match=rf"line 4, column path: .*{name} is not an image that can be read"):
        read_all(path, "dishes")


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(
        UserError, match=r"line 2, column path: .*a0\.png has more than the 200 pixels .* scale"
    ):
        read_all(folder(tmp_path), "dishes")


def test_a_large_image_below_the_limit_is_read_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)  # an image has 400
    monkeypatch.setattr(image_files, "LARGE", 300)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_all(folder(tmp_path), "dishes")[1].shape == (4, 64, 64, 3)


def test_large_images_are_decoded_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_work: list[int] = []
    most = 0

    def turned(image: Image.Image) -> Image.Image:
        nonlocal most
        at_work.append(1)
        most = max(most, len(at_work))
        time.sleep(0.02)
        at_work.pop()
        return image

    monkeypatch.setattr("PIL.ImageOps.exif_transpose", turned)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    read_all(folder(tmp_path), "dishes")
    assert most > 1
    most = 0
    monkeypatch.setattr(image_files, "LARGE", 300)
    read_all(folder(tmp_path), "dishes")
    assert most == 1


def test_an_image_that_does_not_fit_in_memory_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.ImageOps.exif_transpose", exhausted)
    with pytest.raises(UserError, match=r"line 2, column path: .*a0\.png needs more memory than there is"):
        read_all(folder(tmp_path), "dishes")


@pytest.mark.parametrize("name", ["new.gif", "new.png", "new.tif", "new.webp"])
def test_of_several_frames_the_first_is_read_and_that_is_said_once(tmp_path: Path, name: str) -> None:
    red, blue = Image.new("RGB", (20, 20), "red"), Image.new("RGB", (20, 20), "blue")
    for file in (name, f"other-{name}"):
        options: dict[str, Any] = {"lossless": True} if name.endswith("webp") else {}
        red.save(tmp_path / file, save_all=True, append_images=[blue], **options)
    rows = [f"{name},cup,red,90,0.5", f"other-{name},cup,blue,0,1.5", *ROWS[2:]]
    said: list[str] = []
    images = read_all(folder(tmp_path, rows), "dishes", warn=said.append)[1]
    np.testing.assert_array_equal(images[:2, 0, 0], [[255, 0, 0]] * 2)
    (message,) = said
    assert name in message
    assert "several frames" in message


def test_a_phones_jpeg_with_a_preview_is_one_image(tmp_path: Path) -> None:
    image, said = gradient(40, 40), list[str]()
    image.save(tmp_path / "new.jpg", format="MPO", save_all=True, append_images=[image.resize((8, 8))])
    rows = ["new.jpg,cup,red,90,0.5", *ROWS[1:]]
    read_all(folder(tmp_path, rows), "dishes", warn=said.append)
    assert said == []


def test_postscript_is_never_run(tmp_path: Path) -> None:
    path = folder(tmp_path, changed(0, "a0.png", "a0.eps"))
    gradient(8, 8).save(tmp_path / "a0.eps")
    with pytest.raises(UserError, match=r"line 2, column path: .*a0\.eps is not an image that can be read"):
        read_all(path, "dishes")
