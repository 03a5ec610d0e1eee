"""Files of an earlier version: a ledger and a checkpoint, written by commit 1a4a4b4 on 28 November 2026.

``search.json`` and ``checkpoint.json`` hold what that commit itself read from them. The checkpoint is of the
first of two epochs; its weights were rounded to three values a layer before that commit saved it, and Adam's
averages set to 0, so that it compresses to 120 kB.
"""

import json
import lzma
import shutil
from pathlib import Path
from typing import Any

import pytest

from dcodr.data.prepare import prepare_synthetic
from dcodr.data.store import open_store
from dcodr.training.checkpoint import Epoch, load_checkpoint
from dcodr.training.trainer import fit
from tuning.ledger.ledger import Ledger
from tuning.ledger.queue import Queue
from tuning.ledger.storage import LEDGER
from tuning.ledger.trials import TrialRecord
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler

HERE = Path(__file__).parent
SEARCH: dict[str, Any] = json.loads((HERE / "search.json").read_text())
CHECKPOINT: dict[str, Any] = json.loads((HERE / "checkpoint.json").read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the search, within ``tmp_path``."""
    folder = tmp_path / "search"
    folder.mkdir()
    shutil.copy(HERE / "ledger.log", folder / LEDGER)
    return folder


def plain(record: TrialRecord) -> dict[str, Any]:
    """Return the fields of a record as JSON has them."""
    names = ("number", "status", "values", "seed", "confirms", "origin", "epoch")
    facts = {name: getattr(record, name) for name in names}
    found: dict[str, Any] = json.loads(json.dumps({**facts, "figures": record.metrics}))
    return found


def test_an_earlier_ledger_reads_the_same(folder: Path) -> None:
    search = Search.open(folder.name, folder.parent)
    assert [plain(record) for record in search.ledger.records()] == SEARCH["records"]
    assert [trial.number for trial in search.front()] == SEARCH["front"]
    assert search.best_tradeoff().number == SEARCH["knee"]


def test_an_earlier_search_goes_on(folder: Path) -> None:
    ledger = Ledger.open(folder / LEDGER)
    ledger.ready(SpaceSampler)
    begun = Queue(ledger).begin()
    assert begun is not None
    assert begun.number == len(SEARCH["records"]) - 1, "the interrupted trial continues first"
    metrics = {"invariance": 0.9, "informativeness": 0.9}
    ledger.note_epoch(begun.number, 4, training={}, metrics=metrics, intervals={})
    assert ledger.end(begun.number, full_budget=True) == "complete"
    fresh = Queue(ledger).begin()
    assert fresh is not None
    assert fresh.number == begun.number + 1
    assert [trial.number for trial in Search.open(folder.name, folder.parent).front()] == [begun.number]


def test_an_earlier_checkpoint_goes_on_as_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare_synthetic(Path("data.h5"), 80)
    data = open_store(Path("data.h5"))
    assert data.fingerprint == CHECKPOINT["fingerprint"]
    path = Path("checkpoint.pt")
    path.write_bytes(lzma.decompress((HERE / "checkpoint.pt.xz").read_bytes()))
    resumed: list[int] = []
    epochs: list[Epoch] = []
    fit(
        load_checkpoint(path).config,
        data,
        on_epoch=epochs.append,
        on_resume=lambda epoch, damage: resumed.append(epoch),
        checkpoint=path,
    )
    assert resumed == [1]
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    for epoch, earlier in zip(epochs, CHECKPOINT["epochs"], strict=True):
        assert epoch.losses == pytest.approx(earlier["losses"], rel=1e-3)
        assert epoch.report is not None
    assert epochs[0].report is not None
    assert epochs[0].report.metrics == CHECKPOINT["epochs"][0]["figures"]
    assert epochs[1].report is not None
    assert set(epochs[1].report.metrics) == set(CHECKPOINT["epochs"][1]["figures"])
