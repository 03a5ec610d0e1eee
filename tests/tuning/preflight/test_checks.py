"""Refusals before a search begins, and the number of trials that fit on a machine."""

import io
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rich.console import Console

from dcodr.data.dataset import FactorDataset
from dcodr.data.store import write_store
from dcodr.errors import UserError
from tuning.preflight.checks import check, check_storage, check_tracking
from tuning.space import load_space

QUICK = Path(__file__).parents[3] / "search_spaces" / "quick.yaml"


def checked(folder: Path, store: Path, overrides: dict[str, Any], **params: Any) -> None:
    """Check a quick search with other overrides and more parameters."""
    content = yaml.safe_load(QUICK.read_text())
    asked = content["base"]["overrides"] | overrides
    content["base"]["overrides"] = {key: value for key, value in asked.items() if key not in params}
    content["params"] |= params
    content["search"]["warm_start"] = {"paper": False}
    file = folder / "space.yaml"
    file.write_text(yaml.safe_dump(content))
    check(load_space(file, data=str(store)), None, Console(file=io.StringIO()))


def test_weights_that_only_some_trials_need(tmp_path: Path, tiny_store: Path) -> None:
    perceptual = {"weights": str(tmp_path / "none.pth")}
    backbone = {"type": "categorical", "choices": ["pixel", "squeezenet1_1"]}
    checked(tmp_path, tiny_store, {"perceptual": perceptual | {"backbone": "pixel"}})
    with pytest.raises(UserError, match=r"none\.pth"):
        checked(tmp_path, tiny_store, {"perceptual": perceptual}, **{"perceptual.backbone": backbone})


def test_batches_that_only_some_trials_have(tmp_path: Path, tiny_store: Path) -> None:
    n_per_domain = {"type": "int", "low": 8, "high": 500}
    with pytest.raises(UserError, match=r"batch\.n_per_domain is 500, .* \(domain c\w+"):
        checked(tmp_path, tiny_store, {"batch": {"n_domains": 4}}, **{"batch.n_per_domain": n_per_domain})


def test_batches_that_only_some_of_the_searched_methods_can_fill(tmp_path: Path, tiny_store: Path) -> None:
    batch = {"batch": {"n_domains": 8, "n_per_domain": 8}}
    shuffled = {"type": "categorical", "choices": ["simclr", "lord"]}
    checked(tmp_path, tiny_store, batch, method=shuffled)
    mixed = {"type": "categorical", "choices": ["lord", "dcodr_norec"]}
    with pytest.raises(UserError, match=r"batch\.n_domains is 8, but .* 4 domains"):
        checked(tmp_path, tiny_store, batch, method=mixed)


def test_a_dataset_that_was_damaged_after_it_was_written(tmp_path: Path, tiny_store: Path) -> None:
    damaged = tmp_path / "damaged.h5"
    content = bytearray(tiny_store.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(UserError, match=r"damaged\.h5: is damaged: it has fingerprint"):
        checked(tmp_path, damaged, {})


@pytest.fixture
def unlabelled_store(tmp_path: Path, tiny: FactorDataset) -> Path:
    """The tiny store without its attributes."""
    path = tmp_path / "unlabelled.h5"
    spec = replace(tiny.spec, attributes=())
    write_store(path, spec, tiny.images, tiny.domain, {}, tiny.split, {})
    return path


def objectives(folder: Path, store: Path, *names: str, **search: Any) -> None:
    """Check a quick search for other objectives."""
    content = yaml.safe_load(QUICK.read_text())
    content["objectives"] = dict.fromkeys(names, "maximize")
    content["search"] |= search
    file = folder / "space.yaml"
    file.write_text(yaml.safe_dump(content))
    check(load_space(file, data=str(store)), None, Console(file=io.StringIO()))


def test_objectives_of_a_dataset_with_attributes(tmp_path: Path, tiny_store: Path) -> None:
    objectives(tmp_path, tiny_store, "invariance", "informativeness", "accuracy/scale")
    with pytest.raises(UserError, match=r"objectives\.image_informativeness: .* \(did you mean informat"):
        objectives(tmp_path, tiny_store, "invariance", "image_informativeness")


def test_objectives_of_a_dataset_without_attributes(tmp_path: Path, unlabelled_store: Path) -> None:
    objectives(tmp_path, unlabelled_store, "invariance", "image_informativeness", "domain_accuracy")
    with pytest.raises(UserError, match=r"objectives\.informativeness: synthetic has no attribute"):
        objectives(tmp_path, unlabelled_store, "invariance", "informativeness")
    with pytest.raises(UserError, match=r"objectives\.accuracy/scale: synthetic has no such metric"):
        objectives(tmp_path, unlabelled_store, "accuracy/scale")


def one_class(data: FactorDataset, folder: Path, *names: str) -> Path:
    """Return the dataset with the class 0 in every image for some attributes."""
    labels = {name: values * (name not in names) for name, values in data.attributes.items()}
    path = folder / "one.h5"
    write_store(path, data.spec, data.images, data.domain, labels, data.split, {})
    return path


def test_an_attribute_of_one_class_is_told_and_does_not_stop_a_search(
    tmp_path: Path, tiny: FactorDataset
) -> None:
    told = io.StringIO()
    store = one_class(tiny, tmp_path, "scale")
    check(load_space(QUICK, data=str(store)), None, Console(file=told, width=200))
    assert told.getvalue().startswith("scale: a constant answer is right for every validation image")


def test_labels_of_which_nothing_can_be_told(tmp_path: Path, tiny: FactorDataset) -> None:
    store = one_class(tiny, tmp_path, *tiny.attributes)
    with pytest.raises(
        UserError, match=r"informativeness cannot be measured on the validation images of .*scale"
    ):
        objectives(tmp_path, store, "invariance", "informativeness")
    most_frequent = np.bincount(tiny.domain[tiny.indices("train")]).argmax()
    split = np.where((tiny.split == 1) & (tiny.domain != most_frequent), 2, tiny.split).astype(np.uint8)
    write_store(tmp_path / "d.h5", tiny.spec, tiny.images, tiny.domain, tiny.attributes, split, {})
    with pytest.raises(UserError, match="invariance cannot be measured on the validation images"):
        objectives(tmp_path, tmp_path / "d.h5", "invariance", "informativeness")


def test_a_floor_of_what_is_not_measured(tmp_path: Path, unlabelled_store: Path) -> None:
    with pytest.raises(UserError, match=r"search\.informativeness_floor: synthetic has no attribute"):
        objectives(tmp_path, unlabelled_store, "image_informativeness", informativeness_floor=0.1)


def test_an_epoch_budget_below_one_trial(tiny_store: Path) -> None:
    space = load_space(QUICK, data=str(tiny_store), search={"epoch_budget": 1})
    with pytest.raises(UserError, match="1 epoch is not enough for one trial of 2"):
        check(space, None, Console(file=io.StringIO()))


def test_a_storage_folder_is_tried_and_not_made(tmp_path: Path) -> None:
    check_storage(tmp_path / "new" / "runs")
    check_storage(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_storage_folder_that_cannot_be_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    for folder in (file, file / "runs"):
        with pytest.raises(UserError, match=f"storage='{folder}': cannot write to {file}: Not a directory"):
            check_storage(folder)


def test_a_tracking_database_is_not_made(tmp_path: Path) -> None:
    assert "will be made" in check_tracking(f"sqlite:///{tmp_path}/runs/mlflow.db")
    assert not list(tmp_path.iterdir())


def test_a_tracking_database_is_left_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE other (x INTEGER)")
    before = file.read_bytes()
    assert "was not made whole" in check_tracking(f"sqlite:///{file}")
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_a_tracking_file_that_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    file.write_text("hello " * 100)
    with pytest.raises(UserError, match=r"cannot use the MLflow tracking URI .*file is not a database"):
        check_tracking(f"sqlite:///{file}")


def test_a_tracking_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"tracking_uri=.*file': cannot write"):
        check_tracking(f"sqlite:///{tmp_path}/file/mlflow.db")


def test_a_tracking_server_that_does_not_answer() -> None:
    with pytest.raises(UserError, match=r"cannot use the MLflow tracking URI 'http://user:\*\*\*@127"):
        check_tracking("http://user:secret@127.0.0.1:9")
