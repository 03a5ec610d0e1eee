"""``embed``, ``neighbours`` and ``map``, as a user runs them."""

from pathlib import Path
from unittest.mock import Mock

import pytest
from PIL import Image
from typer.testing import CliRunner

from dcodr.cli import app
from dcodr.errors import UserError
from dcodr.words import for_a_shell
from tests.dcodr.embeddings.photographs import encoder_file, photographs


def run(*words: object) -> str:
    with for_a_shell():
        return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False).stdout


@pytest.fixture
def codes(tmp_path: Path) -> Path:
    """Codes of a folder of photographs."""
    photographs(tmp_path / "photos")
    encoder_file(tmp_path / "encoder.safetensors")
    out = tmp_path / "codes.parquet"
    printed = run("embed", tmp_path / "encoder.safetensors", "--images", tmp_path / "photos", "--out", out)
    assert printed.splitlines() == [str(out), "12 codes of 8 numbers, of images of 32 pixels"]
    return out


def test_neighbours_of_names_paths_and_new_images(
    codes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.open(tmp_path / "photos" / "a" / "red_0.png").save(tmp_path / "copy.png")
    sheet = tmp_path / "sheets" / "sheet.png"
    printed = run(
        "neighbours",
        "b/green_1.png",
        "photos/a/red_0.png",
        "copy.png",
        "--in",
        codes,
        "--top",
        2,
        "--out",
        sheet,
    )
    of_green, of_red, of_copy = printed.split("Nearest to ")[1:]
    assert "green_1.png" not in of_green.splitlines()[2]
    assert "a/red_0.png" not in "".join(of_red.splitlines()[2:4])
    assert "a/red_0.png" in of_copy.splitlines()[2]
    assert "1.000" in of_copy.splitlines()[2]
    with Image.open(sheet) as drawn:
        assert drawn.height > drawn.width / 2


def test_a_query_that_is_nothing_is_refused(codes: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.png: neither a path in .*, e\.g\. a/black_0\.jpg, nor"):
        run("neighbours", "nothing.png", "--in", codes)


def test_an_encoder_of_other_codes_is_refused(codes: Path, tmp_path: Path) -> None:
    import torch

    from dcodr.config import Config, EncoderConfig
    from dcodr.models.encoder import Encoder
    from dcodr.training.encoder_file import write_encoder

    torch.manual_seed(0)
    config = Config(encoder=EncoderConfig(arch="small", code_dim=4, weights=None))
    write_encoder(tmp_path / "other.safetensors", Encoder("small", 4), config)
    Image.new("RGB", (20, 20)).save(tmp_path / "new.png")
    with pytest.raises(UserError, match="makes codes of 4 numbers, the table has 8"):
        run("neighbours", tmp_path / "new.png", "--in", codes, "--encoder", tmp_path / "other.safetensors")


def test_the_encoder_is_read_once_for_all_new_images(
    codes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dcodr.training import trained

    load = Mock(wraps=trained.load)
    monkeypatch.setattr(trained, "load", load)
    new = [tmp_path / f"{i}.png" for i in range(3)]
    for i, path in enumerate(new):
        Image.new("RGB", (20 + i, 20), "red").save(path)
    printed = run("neighbours", *new, "--in", codes, "--out", tmp_path / "sheet.png")
    assert printed.count("Nearest to ") == 3
    load.assert_called_once()


def test_unreadable_images_end_embed_unless_they_are_left_out(codes: Path, tmp_path: Path) -> None:
    (tmp_path / "photos" / "a" / "red_0.png").write_bytes(b"no image")
    words = ["embed", tmp_path / "encoder.safetensors", "--images", tmp_path / "photos", "--out", codes]
    with pytest.raises(
        UserError, match=r"1 image of 12 cannot be read; --skip-unreadable leaves .*\n.*red_0"
    ):
        run(*words)
    assert "11 codes of 8 numbers" in run(*words, "--skip-unreadable")
    assert "12 codes" not in run("map", codes, "--out", tmp_path / "map.html")


def test_the_map_is_written(codes: Path, tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    assert run("map", codes, "--out", page).startswith(f"{page} (")
    assert "12 codes; each point is an image" in page.read_text()


def test_a_wrong_ending_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--out .*codes\.txt: should end in"):
        run("embed", "no-encoder", "--images", "no-images", "--out", tmp_path / "codes.txt")
