"""A preparation that is stopped anywhere, and continued: the same store as without the stop."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from dcodr.data.dataset import RawDataset
from dcodr.data.prepare import prepare
from dcodr.data.resume import partial_folder
from dcodr.data.sources import squares
from dcodr.data.sources.folder import read_folder
from dcodr.data.sources.image_files import square
from dcodr.data.sources.images import Progress
from dcodr.data.sources.labelled import Options
from dcodr.data.store import open_store, verify_store
from dcodr.errors import StorageError, UserError

N = 60


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(squares, "BATCH", 5)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Images of noise in two domains, with a CSV file."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(N):
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(folder / f"{i:02}.png")
    rows = [f"{i:02}.png,{'ab'[i % 2]},{i % 3}" for i in range(N)]
    (folder / "labels.csv").write_text("\n".join(["path,domain,angle", *rows]))
    return folder / "labels.csv"


def read(labels: Path, on_progress: Progress | None = None, **options: int) -> RawDataset:
    size = Options(image_size=16, **options)  # type: ignore[arg-type]
    return read_folder(labels, "photos", options=size, on_progress=on_progress, warn=pytest.fail)


def stop_at(n: int) -> Progress:
    def stop(done: int, total: int) -> None:
        if done >= n:
            raise KeyboardInterrupt

    return stop


def begin(labels: Path, out: Path, n: int = 30) -> None:
    """Prepare, but stop when so many images are done."""
    with pytest.raises(KeyboardInterrupt):
        prepare(out, read(labels, stop_at(n)))
    assert not out.exists()
    assert partial_folder(out).is_dir()


def whole(labels: Path, out: Path) -> dict[str, bytes]:
    """Prepare in one go, elsewhere."""
    prepare(out, read(labels))
    return stored(out)


def stored(store: Path) -> dict[str, bytes]:
    """Return all that a store holds, except the time of its preparation."""
    verify_store(store)
    with h5py.File(store) as file:
        names = ["images", "domain", "split", "attributes/angle"]
        content = {name: bytes(file[name][...]) for name in names}
    data = open_store(store)
    provenance = {name: value for name, value in data.provenance.items() if name != "prepared"}
    return content | {"header": repr((data.spec, data.fingerprint, provenance)).encode()}


@pytest.mark.parametrize("n", [5, 30, 59])
def test_the_store_is_the_same_as_without_an_interruption(labels: Path, tmp_path: Path, n: int) -> None:
    out = tmp_path / "s.h5"
    begin(labels, out, n)
    done: list[int] = []
    said: list[str] = []
    prepare(out, read(labels, lambda i, _: done.append(i)), say=said.append)
    assert stored(out) == whole(labels, tmp_path / "whole.h5")
    assert said == [f"continuing: {-(-n // 5) * 5} of 60 images are in {out}.partial already"]
    assert done == sorted(done)
    assert not partial_folder(out).exists()


def replace_an_image(labels: Path) -> None:
    Image.new("RGB", (20, 20), "red").save(labels.parent / "12.png")


def swap_domains(labels: Path) -> None:
    labels.write_text(labels.read_text().replace(",a,", ",x,").replace(",b,", ",a,").replace(",x,", ",b,"))


@pytest.mark.parametrize(
    ("change", "seed", "said"),
    [
        (replace_an_image, 0, "continuing: 10 of 60 images"),
        (swap_domains, 0, "was begun with other labels or settings: starting again"),
        (lambda _: None, 1, "was begun with other labels or settings: starting again"),
    ],
)
def test_what_has_changed_is_read_again(
    labels: Path, tmp_path: Path, change: Callable[[Path], None], seed: int, said: str
) -> None:
    out, told = tmp_path / "s.h5", list[str]()
    begin(labels, out)
    change(labels)
    prepare(out, read(labels, seed=seed), seed, told.append)
    prepare(tmp_path / "whole.h5", read(labels, seed=seed), seed)
    assert stored(out) == stored(tmp_path / "whole.h5")
    assert len(told) == 1
    assert said in told[0]


def lose_a_byte(folder: Path) -> None:
    raw = bytearray((folder / "store.h5").read_bytes())
    offset = open_store(folder / "store.h5").images.offset  # type: ignore[attr-defined]
    raw[offset + 16 * 16 * 3 * 12] ^= 1
    (folder / "store.h5").write_bytes(raw)


def lose_half_a_line(folder: Path) -> None:
    (folder / "done").write_bytes((folder / "done").read_bytes()[:-40])


def lose_the_store(folder: Path) -> None:
    (folder / "store.h5").unlink()


def lose_the_journal(folder: Path) -> None:
    (folder / "done").write_bytes(b"\xff\x00")


@pytest.mark.parametrize("damage", [lose_a_byte, lose_half_a_line, lose_the_store, lose_the_journal])
def test_what_a_power_failure_has_lost_is_read_again(
    labels: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    out = tmp_path / "s.h5"
    begin(labels, out)
    damage(partial_folder(out))
    prepare(out, read(labels))
    assert stored(out) == whole(labels, tmp_path / "whole.h5")


def test_an_image_that_cannot_be_read_can_be_repaired(labels: Path, tmp_path: Path) -> None:
    out, good = tmp_path / "s.h5", (labels.parent / "41.png").read_bytes()
    (labels.parent / "41.png").write_bytes(good[:60])
    with pytest.raises(UserError, match=r"line 43, column path: .*41\.png is not an image"):
        prepare(out, read(labels))
    (labels.parent / "41.png").write_bytes(good)
    said: list[str] = []
    prepare(out, read(labels), say=said.append)
    assert "continuing: 40 of 60 images" in said[0]
    assert stored(out) == whole(labels, tmp_path / "whole.h5")


def test_a_failure_before_the_first_image_leaves_nothing(labels: Path, tmp_path: Path) -> None:
    (labels.parent / "01.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"line 3, column path"):
        prepare(tmp_path / "s.h5", read(labels))
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_second_process_is_kept_out(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.h5"
    begin(labels, out)
    with (
        FileLock(partial_folder(out) / "lock"),
        pytest.raises(UserError, match=r"another process is preparing"),
    ):
        prepare(out, read(labels))
    prepare(out, read(labels))


def test_a_full_disk_is_named(labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dcodr.data.layout.Filling.flush", full)
    with pytest.raises(StorageError, match=r"cannot write .*s\.h5: No space left"):
        prepare(tmp_path / "s.h5", read(labels))


PREPARE = """
import sys
from dcodr.console import run
from dcodr.data.sources import squares
squares.FEW, squares.BATCH = 0, 4
from dcodr.data.cli import app
if __name__ == "__main__":
    run(app, sys.argv[1:])
"""


def workers(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
@pytest.mark.long
def test_a_killed_command_continues_when_it_is_run_again(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for domain in "ab":
        (folder / domain).mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "a" / "000.jpg")
    for i in range(1, 120):
        os.link(folder / "a" / "000.jpg", folder / "ab"[i % 2] / f"{i:03}.jpg")
    (tmp_path / "prepare.py").write_text(PREPARE)
    words = [sys.executable, "prepare.py", "prepare", "folder", "--root", "photos", "--fit", "pad"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    out, journal = tmp_path / "data" / "photos.h5", tmp_path / "data" / "photos.h5.partial" / "done"
    first = subprocess.Popen(words, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    limit = time.monotonic() + 60
    while not (journal.exists() and journal.read_text().count("\n") > 2) and time.monotonic() < limit:
        assert first.poll() is None
        time.sleep(0.005)
    started = workers(first.pid)
    first.kill()
    first.communicate()
    assert not out.exists()
    while any(map(alive, started)) and time.monotonic() < limit:
        time.sleep(0.02)
    assert len(started) >= 2
    assert not any(map(alive, started))
    again = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "note: continuing: " in again.stderr
    images = open_store(out).images
    verify_store(out)
    expected = square(folder / "a" / "000.jpg", 64, "pad")
    assert len(images) == 120
    assert (images == expected).all()
