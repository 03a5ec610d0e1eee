"""``embed``, ``neighbours`` and ``map``, as a user runs them."""

import json
import os
import time
from pathlib import Path
from unittest.mock import Mock

import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from dcodr.cli import app
from dcodr.data.prepare import prepare
from dcodr.data.sources.folder import read_folder
from dcodr.data.sources.labelled import Options
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


def test_a_query_that_is_a_list_of_images_is_refused(codes: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("path\na/black_0.jpg\n")
    with pytest.raises(UserError, match=r"labels\.csv: neither a path in .* nor an image file"):
        run("neighbours", tmp_path / "labels.csv", "--in", codes)


def as_earlier(codes: Path) -> None:
    """Make a file of codes one of the earlier versions, which recorded less in its header."""
    table = pq.read_table(codes)
    header = json.loads(table.schema.metadata[b"dcodr"])
    kept = {key: header[key] for key in ("images", "image_size", "encoder")}
    pq.write_table(table.replace_schema_metadata({"dcodr": json.dumps(kept)}), codes)


def test_new_images_are_compared_by_the_encoder_of_the_codes_only(codes: Path, tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "new.png")
    search = ["neighbours", tmp_path / "new.png", "--in", codes, "--out", tmp_path / "sheet.png"]
    encoder, again = tmp_path / "encoder.safetensors", tmp_path / "again.safetensors"
    encoder.rename(again)
    found = run(*search, "--encoder", again)
    encoder_file(encoder, seed=1)
    for given in ([], ["--encoder", encoder]):
        with pytest.raises(
            UserError, match=r"encoder\.safetensors has other weights than .* with --encoder, or"
        ):
            run(*search, *given)
    as_earlier(codes)
    assert run(*search) != found  # nothing is known of the encoder of such files but its place
    encoder_file(encoder, code_dim=4)
    with pytest.raises(UserError, match="makes codes of 4 numbers, the table has 8"):
        run(*search)


def test_pictures_come_from_the_store_of_the_codes_only(tmp_path: Path) -> None:
    labels, store, codes = (
        photographs(tmp_path / "photos"),
        tmp_path / "photos.h5",
        tmp_path / "codes.parquet",
    )

    def prepared() -> None:
        prepare(store, read_folder(labels, "photos", options=Options(image_size=32)), seed=0)

    def embedded() -> None:
        run("embed", encoder_file(tmp_path / "e.safetensors"), "--images", store, "--out", codes)

    def searched() -> None:
        assert "Nearest to 11" in run("neighbours", 11, "--in", codes, "--out", tmp_path / "sheet.png")
        run("map", codes, "--out", tmp_path / "map.html")

    def refused() -> None:
        for words in (("neighbours", 1, "--in", codes), ("map", codes)):
            with pytest.raises(
                UserError, match=r"photos\.h5 is no longer the store of .* embed its images again"
            ):
                run(*words, "--out", tmp_path / "out")

    prepared()
    embedded()
    prepared()
    searched()
    Image.new("RGB", (20, 20), "pink").save(tmp_path / "photos" / "a" / "red_0.png")
    prepared()
    refused()
    embedded()
    as_earlier(codes)
    searched()
    labels.write_text("\n".join(labels.read_text().splitlines()[:-2]))
    prepared()
    refused()


def test_image_files_that_are_gone_or_have_changed_are_named(codes: Path, tmp_path: Path) -> None:
    image, page = tmp_path / "photos" / "a" / "red_0.png", tmp_path / "map.html"
    assert "warning" not in CliRunner().invoke(app, ["map", str(codes), "--out", str(page)]).stderr
    Image.new("RGB", (20, 20), "pink").save(image)
    os.utime(image, (time.time() + 9,) * 2)
    shown = CliRunner().invoke(app, ["map", str(codes), "--out", str(page)])
    assert f"warning: 1 image changed after the codes were written, e.g. {image}: " in shown.stderr
    image.unlink()
    with pytest.raises(UserError, match=r"a/red_0\.png is gone: put it back, or embed the images again"):
        run("map", codes, "--out", page)
    (tmp_path / "photos").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"photos, the folder of the images of these codes, is gone: "):
        run("map", codes, "--out", page)


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


def test_the_map_is_written(codes: Path, tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    assert run("map", codes, "--out", page).startswith(f"{page} (")
    assert "12 codes; each point is an image" in page.read_text()


def test_a_wrong_ending_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--out .*codes\.txt: should end in"):
        run("embed", "no-encoder", "--images", "no-images", "--out", tmp_path / "codes.txt")
