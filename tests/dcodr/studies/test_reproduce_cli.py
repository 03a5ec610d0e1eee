"""``python -m dcodr reproduce``."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

from dcodr.config import Config, dump_config
from dcodr.data.dataset import FactorDataset
from dcodr.data.store import write_store
from dcodr.errors import UserError
from dcodr.evaluation.probes import PAPER
from dcodr.studies import reproduce as one_training
from dcodr.studies.comparison import unpublished
from dcodr.studies.reproduce_cli import reproduce


@pytest.fixture(autouse=True)
def _brief_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_training, "PAPER", replace(PAPER, epochs=2))


@pytest.fixture
def data(tiny: FactorDataset, tmp_path: Path) -> Path:
    """A folder with a stand-in for Shapes3D, whose attributes the rendered scenes have."""
    spec = replace(tiny.spec, name="shapes3d")
    write_store(
        tmp_path / "shapes3d.h5", spec, tiny.images, tiny.domain, tiny.attributes, tiny.split, tiny.provenance
    )
    return tmp_path


@pytest.fixture
def configs(tiny_config: Config, tmp_path: Path) -> Path:
    """Trainings of a second, for two of the systems."""
    for method in ("simclr", "dcodr_norec"):
        config = tiny_config.model_copy(update={"method": method, "epochs": 5})
        (tmp_path / f"{method}.yaml").write_text(dump_config(config))
    return tmp_path


def run(data: Path, **options: Any) -> int:
    """Return the exit code of the command."""
    with pytest.raises(typer.Exit) as ended:
        reproduce(data=data, out=data / "out", **options)
    return ended.value.exit_code


def test_two_tables_of_the_same_trainings(
    data: Path, configs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options: dict[str, Any] = {
        "configs": configs,
        "methods": "simclr,dcodr_norec",
        "epochs": 1,
        "seeds": "0,3",
    }
    assert run(data, table=4, **options) == 0
    printed = capsys.readouterr().out
    assert "simclr seed 3  epoch 1/1" in printed
    assert "measured, 2 seeds" in printed
    assert "0.983" in printed
    assert run(data, table=6, **options) == 0
    again = capsys.readouterr().out
    assert "epoch 1/1" not in again
    assert again.count("measured before") == 4

    for number, cells in ((4, 6), (6, 6)):
        with (data / "out" / f"table{number}.csv").open() as file:
            rows = list(csv.DictReader(file))
        run_rows = [row for row in rows if row["seeds"] == "2"]
        assert {row["system"] for row in run_rows} == {"simclr", "dcodr_norec"}
        assert len(run_rows) == 2 * cells
        assert all(0 <= float(row["measured"]) <= 1 for row in run_rows)
        assert all(row["measured"] == "" for row in rows if row not in run_rows)
    written = (data / "out" / "table6.md").read_text()
    assert "| simclr | published | 0.186 |" in written
    start = "Measured encoders start from random weights."
    assert start in written
    assert start in printed


def test_a_run_of_a_part_keeps_the_other_results_of_the_same_settings(
    data: Path, configs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def table_of(methods: str, seeds: str, epochs: int = 1) -> dict[str, str]:
        """Run a part; return the number of seeds of each system in the table."""
        assert run(data, table=4, configs=configs, methods=methods, seeds=seeds, epochs=epochs) == 0
        with (data / "out" / "table4.csv").open() as file:
            return {row["system"]: row["seeds"] for row in csv.DictReader(file) if row["measured"]}

    whole = {"simclr": "2", "dcodr_norec": "1"}
    table_of("simclr", "0,3")
    assert table_of("dcodr_norec", "0") == whole
    assert table_of("simclr", "0") == whole
    printed = capsys.readouterr().out
    assert f"The table holds all results in {data}/out/shapes3d with these settings" in printed
    assert "Not in the table" not in printed
    assert table_of("simclr", "5", epochs=2) == {"simclr": "1"}
    others = "Not in the table, because settings, data or probe differ: dcodr_norec-0, simclr-0, simclr-3\n"
    assert others in capsys.readouterr().out
    (configs / "dcodr_norec.yaml").unlink()
    assert table_of("simclr", "0") == {"simclr": "2"}
    assert "differ: dcodr_norec-0, simclr-5\n" in capsys.readouterr().out


def test_collapsed_codes_in_the_table_are_named_in_every_run(
    data: Path, configs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options: dict[str, Any] = {"table": 4, "configs": configs, "epochs": 1}
    assert run(data, methods="simclr", **options) == 0
    file = data / "out" / "shapes3d" / "simclr-0" / one_training.RESULT
    result = one_training.Result.model_validate_json(file.read_bytes())
    file.write_text(result.model_copy(update={"infeasible": "rank 1"}).model_dump_json())
    assert run(data, methods="dcodr_norec", **options) == 1
    assert "simclr seed 0: collapsed, rank 1" in capsys.readouterr().out


def test_a_diverged_training_leaves_its_cells_empty(
    data: Path, configs: Path, tiny_config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny_config.model_copy(update={"method": "simclr", "encoder_lr": 1e30})
    (configs / "simclr.yaml").write_text(dump_config(config))
    assert run(data, dataset="shapes3d", configs=configs, methods="simclr,dcodr_norec", epochs=1) == 1
    assert "simclr seed 0: not finite in epoch 1" in capsys.readouterr().out
    with (data / "out" / "shapes3d.csv").open() as file:
        measured = {row["system"] for row in csv.DictReader(file) if row["measured"]}
    assert measured == {"dcodr_norec"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give either --table or --dataset"),
        ({"table": 4, "dataset": "shapes3d"}, "give either --table or --dataset"),
        ({"table": 4, "methods": "dcdr"}, r"--methods: received 'dcdr' \(did you mean dcodr\?\)"),
        ({"table": 4, "seeds": "0,0"}, "--seeds: received '0,0'"),
        ({"table": 4, "seeds": "-1"}, "--seeds: received '-1'"),
        ({"table": 3}, r"smallnorb\.h5 is not there"),
        ({"table": 4, "moco": Path("m.pth"), "configs": Path()}, "--moco has no effect on --configs"),
    ],
)
def test_what_is_refused(data: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        reproduce(data=data, out=data / "out", **options)
    assert not (data / "out").exists()


def test_a_config_of_another_system(data: Path, configs: Path) -> None:
    (configs / "dcodr.yaml").write_text((configs / "simclr.yaml").read_text())
    with pytest.raises(UserError, match=r"dcodr\.yaml: method is simclr"):
        reproduce(table=4, data=data, methods="dcodr", configs=configs, out=data / "out")


def test_a_store_of_another_dataset(data: Path) -> None:
    (data / "shapes3d.h5").rename(data / "smallnorb.h5")
    with pytest.raises(UserError, match=r"smallnorb\.h5: holds shapes3d"):
        reproduce(table=3, data=data, methods="dcodr", out=data / "out")


def test_a_file_of_moco_starts_the_encoders_with_its_hidden_layer(
    tiny: FactorDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(tiny.spec, name="cars3d")
    write_store(
        tmp_path / "cars3d.h5", spec, tiny.images, tiny.domain, tiny.attributes, tiny.split, tiny.provenance
    )
    given: list[Config] = []

    def reproduced(config: Config, *args: Any, **others: Any) -> one_training.Result:
        given.append(config)
        metrics = dict.fromkeys(unpublished(spec).columns.values(), 0.5)
        return one_training.Result(
            config=config, fingerprint="", protocol=0, metrics=metrics, infeasible=None
        )

    monkeypatch.setattr(one_training, "train_and_test", reproduced)
    monkeypatch.chdir(tmp_path)
    options = {"dataset": "cars3d", "methods": "lord,dcodr", "seeds": "0", "moco": Path("moco_v2.pth.tar")}
    assert run(tmp_path, **options) == 0
    file = str(tmp_path / "moco_v2.pth.tar")
    assert [config.encoder.weights for config in given] == [file, file]
    assert all(config.encoder.hidden_layer for config in given)
    assert one_training.encoder_start(given[0].encoder) == "moco_v2.pth.tar with its hidden layer"
    assert "moco_v2.pth.tar with its hidden layer" in (tmp_path / "out" / "cars3d.md").read_text()
