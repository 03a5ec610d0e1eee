"""One training of a table: measured once, and continued after an interruption."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from dcodr.config import Config
from dcodr.data.dataset import FactorDataset
from dcodr.errors import UserError
from dcodr.evaluation.probes import PAPER
from dcodr.studies import reproduce as one_training
from dcodr.studies.reproduce import RESULT, Result, train_and_test
from dcodr.training.checkpoint import Epoch
from tests.planted import MakesFolder


@pytest.fixture(autouse=True)
def _brief_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_training, "PAPER", replace(PAPER, epochs=2))


def run(config: Config, data: FactorDataset, folder: Path) -> tuple[Result, list[int]]:
    """Return the result, and the epochs told of: those trained, after the last one before."""
    epochs: list[int] = []
    found = train_and_test(config, data, folder, on_epoch=lambda epoch: epochs.append(epoch.epoch))
    return found, epochs


def test_it_trains_once(tiny_config: Config, tiny: FactorDataset, tmp_path: Path) -> None:
    first, epochs = run(tiny_config, tiny, tmp_path)
    assert epochs == [1, 2]
    assert {"domain_accuracy", "accuracy/scale", "retrieval_top1/all"} <= set(first.metrics)
    assert first.infeasible is None
    assert run(tiny_config, tiny, tmp_path) == (first, [])

    for damaged in (b"{", pickle.dumps(MakesFolder(tmp_path / "executed"))):
        (tmp_path / RESULT).write_bytes(damaged)
        assert run(tiny_config, tiny, tmp_path) == (first, [2])
    assert not (tmp_path / "executed").exists()

    outdated = first.model_copy(update={"protocol": first.protocol - 1, "metrics": {}})
    (tmp_path / RESULT).write_text(outdated.model_dump_json())
    assert run(tiny_config, tiny, tmp_path) == (first, [2])

    longer = tiny_config.model_copy(update={"epochs": 3})
    with pytest.raises(UserError, match="epochs: 2 there, 3 here: give another folder"):
        run(longer, tiny, tmp_path)


def test_it_goes_on_where_it_was_cut_off(tiny_config: Config, tiny: FactorDataset, tmp_path: Path) -> None:
    def cut_off(epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_and_test(tiny_config, tiny, tmp_path / "cut", on_epoch=cut_off)
    whole, _ = run(tiny_config, tiny, tmp_path / "whole")
    assert run(tiny_config, tiny, tmp_path / "cut") == (whole, [1, 2])
