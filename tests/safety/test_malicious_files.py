"""Files made to run code, to fill the memory, or to reach other files: every reader refuses them."""

import io
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from dcodr.cli import train
from dcodr.config import Config, dump_config, read_config
from dcodr.console import printable
from dcodr.data.dataset import Attribute, DatasetSpec, stratified_split
from dcodr.data.sources.cars3d import read_cars3d
from dcodr.data.sources.celeba import IDENTITIES, read_celeba
from dcodr.data.sources.csv_table import read_table
from dcodr.data.sources.images import open_jpeg
from dcodr.data.sources.shapes3d import read_shapes3d
from dcodr.data.sources.smallnorb import PARTS, read_smallnorb
from dcodr.data.store import open_store, write_store
from dcodr.errors import UserError
from dcodr.evaluation.report import Report
from dcodr.methods.weights import load_encoder
from dcodr.models.encoder import Encoder
from dcodr.strict_yaml import read_yaml
from dcodr.training import trainer
from dcodr.training.checkpoint import (
    FORMAT,
    Checkpoint,
    Epoch,
    load_checkpoint,
    restore,
    save_checkpoint,
    trained_encoder,
)
from tests.planted import MakesFolder
from tuning.driver.warm_start import read_ranking
from tuning.ledger.ledger import Ledger
from tuning.run import run_search
from tuning.space import load_space

QUICK = Path(__file__).parents[2] / "search_spaces" / "quick.yaml"


def yaml_code(folder: Path) -> bytes:
    return f"base: !!python/object/apply:os.mkdir ['{folder}']\n".encode()


def plain_pickle(folder: Path) -> bytes:
    return pickle.dumps(MakesFolder(folder))


def torch_pickle(folder: Path) -> bytes:
    torch.save({"format": 1, "state_dict": MakesFolder(folder)}, folder.with_name("saved"))
    return folder.with_name("saved").read_bytes()


def numpy_pickle(folder: Path) -> bytes:
    np.save(folder.with_name("saved.npy"), np.array([MakesFolder(folder)], dtype=object), allow_pickle=True)
    return folder.with_name("saved.npy").read_bytes()


READERS: dict[str, Callable[[Path], object]] = {
    "space.yaml": load_space,
    "config.yaml": read_config,
    "store.h5": open_store,
    "3dshapes.h5": lambda path: read_shapes3d(path.parent, 1),
    "labels.csv": lambda path: read_table(path, ("path", "domain")),
    "ranking.csv": read_ranking,
    "checkpoint.pt": load_checkpoint,
    "weights.pth": lambda path: load_encoder(Encoder("resnet18", 8, False), "resnet18", path),
    "car_001_mesh.mat": lambda path: list(read_cars3d(path.parent).images),
    "photo.jpg": open_jpeg,
    "ledger.log": Ledger.open,
}


@pytest.mark.parametrize("make", [yaml_code, plain_pickle, torch_pickle, numpy_pickle])
@pytest.mark.parametrize("name", list(READERS))
def test_nothing_in_a_file_is_executed(name: str, make: Callable[[Path], bytes], tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    (tmp_path / name).write_bytes(make(trace))
    with pytest.raises(UserError):
        READERS[name](tmp_path / name)
    assert not trace.exists()


def test_the_pickle_would_have_worked(tmp_path: Path) -> None:
    pickle.loads(plain_pickle(tmp_path / "executed"))  # noqa: S301
    assert (tmp_path / "executed").exists()


# YAML

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefghij", "bcdefghijk", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "more than 10,000 values, with aliases expanded"),
        ("a: &a [*a]\n", "more than 20 levels"),
        ("a: " + "[" * 1000, "recursion depth"),
        ("a: " + "[" * 30 + "]" * 30, "line 1: more than 20 levels"),
        ("a: 0x" + "f" * 500_000, "line 1: not valid YAML: a number of more than 64 bits"),
        ("a: " + "9" * 500_000, "a number of more than 64 bits"),
        ("a: !!bool x", "not valid YAML"),
        ("a: !!int ''", "not valid YAML"),
        ("a: !!timestamp 2026-01-01", "line 1: not valid YAML here: a timestamp; put text in quotes"),
        ("a: !!binary YQ==", "a binary"),
        ("a: " + "x" * 1_000_000, "larger than the allowed 1,000,000 bytes"),
    ],
    ids=lambda value: value[:20],
)
def test_yaml_that_would_take_long_or_fill_the_memory(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(text)
    began = time.monotonic()
    with pytest.raises(UserError, match=r"f\.yaml") as caught:
        read_yaml(tmp_path / "f.yaml")
    assert message in str(caught.value)
    assert time.monotonic() - began < 10


def test_a_few_aliases_are_fine(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("a: &a {low: 1, high: 2}\nb: *a\n")
    assert read_yaml(tmp_path / "f.yaml").data == {"a": {"low": 1, "high": 2}, "b": {"low": 1, "high": 2}}


@pytest.mark.parametrize("read", [read_config, load_space, read_ranking, open_store, load_checkpoint])
def test_what_is_no_plain_file_is_not_waited_for(read: Callable[[Path], object], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UserError):
            read(path)


def space(params: str) -> str:
    return f"base: {{preset: synthetic}}\nparams:\n{params}"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("  temperature: {type: float, low: 0.05, high: 0.5, step: 1.0e-300}", "step 1e-300 is too small"),
        (
            "  augmentations:\n    type: subset\n    members: [crop]\n    strengths:\n      crop:\n"
            + "".join(f"        s{i}: {{type: float, low: 0.1, high: 1.0}}\n" for i in range(40)),
            "s0",
        ),
    ],
    ids=["step", "corners"],
)
def test_spaces_without_end_are_refused_at_once(params: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(space(params))
    with pytest.raises(UserError, match=message):
        load_space(tmp_path / "s.yaml")


# Names that become paths, and text that reaches the terminal


@pytest.mark.parametrize(
    "name", ["..", ".", "../../x", "/etc", "a/b", "a\0", "", "-x", "a\n", ".hidden", "a" * 256]
)
def test_a_name_that_leaves_the_storage_is_refused(
    name: str, tiny_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning.run.ray_session", lambda *_: pytest.fail("begun"))
    space = load_space(QUICK, data=str(tiny_store))
    named_by_its_file = space.model_copy(update={"name": name})
    options: dict[str, Any] = {"storage": tmp_path / "runs", "console": Console(file=io.StringIO())}
    for resume in (False, True):
        with pytest.raises(UserError, match=r"name=.* should be a plain folder name|name=.* is too long"):
            run_search(space, name=name, resume=resume, **options)
    with pytest.raises(UserError, match=r"the space file's name .*: give another with name="):
        run_search(named_by_its_file, **options)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["../../etc/x", "/x", "a/b", "..", "a\n"])
def test_a_dataset_name_that_is_a_path_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Config(dataset=name)


def test_control_characters_are_spelled_out() -> None:
    assert printable("a\x1b[2Jé\r\u202e\nb") == r"a\x1b[2Jé\r\u202e" + "\nb"


@pytest.mark.parametrize(
    ("provenance", "told"),
    [
        ({"validation": "text"}, ""),
        ({"validation": {"invariance": 2.0}}, "metrics of None, trial None differ"),
        (
            {"validation": {"invariance": "x"}, "search": "[/red]", "trial": ["[bold]"]},
            "metrics of [/red], trial ['[bold]'] differ",
        ),
    ],
)
def test_odd_provenance_is_compared_without_harm(
    provenance: dict[str, Any],
    told: str,
    tiny_config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trained = SimpleNamespace(report=Report({"invariance": 0.5}, {}, None))
    monkeypatch.setattr(trainer, "fit", lambda *_, **__: trained)
    (tmp_path / "c.yaml").write_text(dump_config(tiny_config, provenance))
    train(tmp_path / "c.yaml", tmp_path / "trained")
    printed = capsys.readouterr().out
    assert told in printed
    assert ("differ" in printed) is bool(told)


# HDF5

LAST = '{"epoch": 1, "losses": {"loss": 0.5}, "report": null, "images_per_second": 9.0}'
SPEC = DatasetSpec("chairs", "chair", (Attribute("angle", 4),))


def write(path: Path, spec: DatasetSpec = SPEC) -> None:
    domain = np.arange(20) % 2
    labels = {attribute.name: np.arange(20) % 4 for attribute in spec.attributes}
    write_store(
        path, spec, np.zeros((20, 2, 2, 3), np.uint8), domain, labels, stratified_split(domain, 0), {}
    )


def test_a_store_that_declares_terabytes_is_refused_before_any_is_read(tmp_path: Path) -> None:
    path = tmp_path / "s.h5"
    write(path)
    with h5py.File(path, "r+") as file:
        del file["domain"]
        create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        create.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        create.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        space = h5py.h5s.create_simple((1 << 38,))
        h5py.h5d.create(file.id, b"domain", h5py.h5t.NATIVE_INT64, space, create)
    os.truncate(path, 16_384)
    with pytest.raises(UserError, match=r"s\.h5"):
        open_store(path)


@pytest.mark.parametrize("link", [h5py.SoftLink("/split"), h5py.ExternalLink("other.h5", "split")])
def test_a_dataset_behind_a_link_is_refused(link: Any, tmp_path: Path) -> None:
    write(tmp_path / "s.h5")
    write(tmp_path / "other.h5")
    with h5py.File(tmp_path / "s.h5", "r+") as file:
        file.move("split", "kept")
        file["split"] = link
    with pytest.raises(UserError, match="split is missing or damaged, or lies in another file"):
        open_store(tmp_path / "s.h5")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (DatasetSpec("../x", "chair", ()), "'../x' is not a valid name"),
        (DatasetSpec("x", "a chair", ()), "'a chair' is not a valid name"),
        (DatasetSpec("x", "chair", (Attribute("[bold]", 4),)), "is not a valid name"),
        (DatasetSpec("x", "chair", (Attribute("a/../b", 4),)), "is not a valid name"),
        (DatasetSpec("x", "chair", (Attribute("all", 4),)), "is called all"),
        (DatasetSpec("x", "chair", (Attribute("domain", 4),)), "is called domain"),
        (DatasetSpec("x", "chair", (Attribute("a", 4), Attribute("a", 5))), "two attributes are called a"),
        (DatasetSpec("x", "chair", (Attribute("chair", 4),)), "chair is the domain and an attribute"),
        (
            DatasetSpec("x", "chair", (Attribute("a", 10**12),)),
            "1000000000000 classes; allowed are 1..100000",
        ),
        (DatasetSpec("x", "chair", (Attribute("a", 4, margin=10**12),)), "a has a margin of 1000000000000"),
        (DatasetSpec("x", "chair", (Attribute("a", None, margin=1),)), "a has a margin of 1; it must be"),
        (DatasetSpec("x", "chair", (Attribute("a", -1),)), "-1 classes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_and_classes_that_cannot_be_are_refused(
    spec: DatasetSpec, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        write(tmp_path / "s.h5", spec)
    assert message in str(caught.value)


def test_values_of_published_files_that_lie_elsewhere_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(64 * 64 * 3))
    with h5py.File(tmp_path / "3dshapes.h5", "w") as file:
        outside = [(str(tmp_path / "secret.bin"), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("images", (1, 64, 64, 3), np.uint8, external=outside)
        file["labels"] = np.zeros((1, 6))
    with pytest.raises(UserError, match="has no images"):
        read_shapes3d(tmp_path, 1)


# Checkpoints


@pytest.mark.parametrize(
    "change",
    [
        {"last": 3},
        {"last": LAST.replace('"epoch": 1', '"epoch": "1"')},
        {"last": LAST.replace('"epoch": 1', '"epoch": -1')},
        {"last": LAST.replace("0.5", '"x"')},
        {"fingerprint": None},
        {"model": [1]},
        {"model": {"encoder": "x"}},
        {"model": {1: torch.zeros(1)}},
        {"optimizer": None},
        {"config": "{"},
        {"config": "[" * 100_000},
    ],
    ids=str,
)
def test_checkpoints_of_other_types_are_refused(
    change: dict[str, Any], tiny_config: Config, tmp_path: Path
) -> None:
    content = {"format": FORMAT, "config": tiny_config.model_dump_json(), "fingerprint": "f", "last": LAST}
    torch.save(content | {"model": {}, "optimizer": {}}, tmp_path / "c.pt")
    load_checkpoint(tmp_path / "c.pt")
    torch.save(content | {"model": {}, "optimizer": {}} | change, tmp_path / "c.pt")
    with pytest.raises(UserError, match=r"c\.pt: damaged, or not a checkpoint"):
        load_checkpoint(tmp_path / "c.pt")


def test_a_state_of_another_model_is_refused(tiny_config: Config, tmp_path: Path) -> None:
    last = Epoch(1, {"loss": 0.5}, None, 9.0)
    saved = Checkpoint(tiny_config, "f", last, {"encoder.x": torch.zeros(1)}, {"state": 1})
    save_checkpoint(tmp_path / "c.pt", saved)
    checkpoint = load_checkpoint(tmp_path / "c.pt")
    model = torch.nn.Linear(1, 1)
    with pytest.raises(UserError, match="does not fit its config"):
        restore(checkpoint, model, torch.optim.Adam(model.parameters()))
    with pytest.raises(UserError, match="does not fit its config"):
        trained_encoder(checkpoint)


# Published files of datasets


@pytest.mark.parametrize(
    "line", ["000001.jpg --5", "000001.jpg -1", "../x.jpg 1", "1.jpg " + "9" * 5000, "²1.jpg 1"]
)
def test_people_without_a_number_are_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / IDENTITIES).write_text(line + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=rf"{IDENTITIES}(, line 1: | cannot be read)"):
        read_celeba(tmp_path)


def test_a_header_of_billions_of_rows_is_refused(tmp_path: Path) -> None:
    for part in PARTS:
        for kind in ("dat", "cat", "info"):
            header = np.array([0x1E3D4C54, 1, 2**31 - 1, 1, 1], "<i4")
            (tmp_path / f"{part}-{kind}.mat").write_bytes(header.tobytes())
    with pytest.raises(UserError, match="at most 24300 as published"):
        read_smallnorb(tmp_path)


def test_an_image_of_another_size_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (8, 9)).save(tmp_path / "large.jpg")
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    with pytest.raises(UserError, match="8 x 9 pixels; expected 8 x 8"):
        open_jpeg(tmp_path / "large.jpg", (8, 8))
