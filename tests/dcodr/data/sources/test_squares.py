"""Images read by all cores: in order, few at a time, from any position, by threads as by processes."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dcodr.data.sources import squares as module
from dcodr.data.sources.squares import Squares, files_identity
from dcodr.errors import UserError


def tile(index: int) -> Image.Image:
    return Image.new("RGB", (20, 20), (index % 256, index // 256, 7))


class Tiles(Sequence[Any]):
    """Images made when they are asked for, which counts how many were."""

    def __init__(self, n: int) -> None:
        self.n, self.asked = n, 0

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, row: Any) -> Any:
        self.asked = max(self.asked, row + 1)
        return tile(row)


def squares(pictures: Sequence[Any], **options: Any) -> Squares:
    return Squares(
        pictures, 16, "crop", lambda row, why: UserError(f"image {row}: {why}"), pytest.fail, **options
    )


def numbers(chunks: Iterator[Any]) -> list[int]:
    return [int(image[0, 0, 0]) + 256 * int(image[0, 0, 1]) for chunk in chunks for image in chunk]


@pytest.mark.parametrize("first", [0, 1, 299])
def test_images_come_in_order_from_any_position(first: int) -> None:
    assert numbers(squares(Tiles(300)).start_at(first)) == list(range(first, 300))


def test_processes_read_the_same_and_name_all_images_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "FEW", 10)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    told: list[tuple[int, int]] = []
    pictures: list[Any] = [tile(i) for i in range(300)]
    for unreadable in range(270, 300, 10):
        pictures[unreadable] = tmp_path / "none.png"
    chunks = squares(pictures, processes=True, on_progress=lambda done, of: told.append((done, of)))
    seen: list[int] = []
    with pytest.raises(UserError, match=r"image 270: .*none\.png is not an image .* \(.*No such") as caught:
        seen.extend(number for chunk in chunks for number in numbers(iter([chunk])))
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "image 270",
        "image 280",
        "image 290",
    ]
    assert seen == list(range(len(seen)))
    assert len(seen) >= 128
    assert told[-1] == (300, 300)


def test_few_images_are_in_memory_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    tiles = Tiles(5000)
    chunks = iter(squares(tiles))
    assert tiles.asked == 0
    done = 0
    for chunk in chunks:
        done += len(chunk)
        assert len(chunk) <= module.BATCH
        # Two batches for each of the two cores, one of which has just arrived.
        assert tiles.asked - done <= 4 * module.BATCH
    for size in (16, 64, 224, 1024):
        batch = max(1, min(module.BATCH, module.BATCH_BYTES // (3 * size**2)))
        assert batch * 3 * size**2 <= max(module.BATCH_BYTES, 3 * size**2)


def test_a_file_that_is_written_again_has_another_identity(tmp_path: Path) -> None:
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        tile(1).save(path)
        os.utime(path, ns=(0, 1000))
    before = files_identity(paths)
    assert files_identity(paths) == before
    assert files_identity(paths[::-1]) != before
    os.utime(paths[1], ns=(0, 2000))
    assert files_identity(paths) != before
