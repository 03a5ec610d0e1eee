"""The ledger's file stays whole when the disk is full or the power fails."""

from pathlib import Path

import pytest

from dcodr.errors import StorageError
from tests.faults.full_disk import files_end_at
from tests.tuning.trained import SPACE
from tuning.ledger.journal import cut_short, mend
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.sampling.sampler import SpaceSampler
from tuning.space import load_space


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "s.yaml").write_text(SPACE)
    Ledger.create(tmp_path / "ledger.log", load_space(tmp_path / "s.yaml"), {})
    return tmp_path / "ledger.log"


@pytest.mark.parametrize("room", [0, 1, 40, 150])
def test_a_full_disk_is_told_and_the_ledger_goes_on_where_it_was(path: Path, room: int) -> None:
    ledger = Ledger.open(path)
    ledger.ready(SpaceSampler)
    begun = Queue(ledger).begin()
    assert begun is not None
    whole = path.read_bytes()
    with (
        files_end_at(len(whole) + room),
        pytest.raises(StorageError, match=r"cannot write .*ledger\.log: File too large"),
    ):
        ledger.note_epoch(begun.number, 1, training={f"loss {i}": 0.1 for i in range(50)})
    assert path.read_bytes() == whole
    again = Ledger.open(path)
    assert again.ready(SpaceSampler) == [0]
    assert Queue(again).begin() == begun
    again.note_epoch(0, 1, training={"loss": 0.1})
    assert Ledger.open(path).records()[0].epochs[1].training == {"loss": 0.1}


@pytest.mark.parametrize("bytes_", [1, 10, 200])
def test_what_a_power_cut_left_half_written_is_removed(path: Path, bytes_: int) -> None:
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    entry = lines[-1] * 10
    path.write_bytes(whole + entry.replace(b"\n", b" ")[:bytes_])
    assert cut_short(path) == bytes_
    mend(path)
    assert path.read_bytes() == whole
    assert cut_short(path) == 0
    assert Ledger.open(path).ready(SpaceSampler) == []
