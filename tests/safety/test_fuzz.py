"""Fuzz tests: a reader either reads a file or refuses it with a ``UserError``, whatever the content.

200 inputs a reader; ``make fuzz`` tries 20,000.
"""

import contextlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from dcodr.config import Config, read_config
from dcodr.data.dataset import Attribute, DatasetSpec, stratified_split
from dcodr.data.sources.folder import read_folder
from dcodr.data.sources.labelled import Options
from dcodr.data.store import write_store
from dcodr.errors import UserError
from dcodr.training.checkpoint import Checkpoint, Epoch, save_checkpoint
from tests.safety.reader_process import ReaderProcess
from tuning.ledger.ledger import Ledger
from tuning.ledger.storage import LEDGER
from tuning.report.terminal import print_status
from tuning.results.csv_tables import front_csv
from tuning.results.export import export
from tuning.results.search import Search
from tuning.sampling.sampler import SpaceSampler
from tuning.space import Space, load_space

INPUTS = int(os.environ.get("FUZZ_INPUTS", "200"))
fuzz = settings(
    max_examples=INPUTS,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)

BYTES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"\0" * 8, b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\0\0\0\x80", b"\x01", b"\xff"]),
)


@st.composite
def damaged(draw: st.DrawFn, valid: bytes) -> bytes:
    """A valid file with bytes overwritten, inserted, removed, repeated, or its end cut off, once or more."""
    content = valid
    for _ in range(draw(st.integers(1, 4))):
        at, new = draw(st.integers(0, len(content))), draw(BYTES)
        how = draw(st.sampled_from(["overwrite", "overwrite", "insert", "remove", "repeat", "cut"]))
        length = draw(st.integers(0, 64))
        content = {
            "overwrite": content[:at] + new + content[at + len(new) :],
            "insert": content[:at] + new + content[at:],
            "remove": content[:at] + content[at + length :],
            "repeat": content[: at + length] + content[at:],
            "cut": content[:at],
        }[how]
    return content


def clean(read: Callable[[], Any]) -> None:
    """Run a reader; what it may raise is a ``UserError``."""
    with contextlib.suppress(UserError):
        read()


# YAML: spaces and configs

SPACE = """\
base:
  preset: synthetic
  overrides: {encoder: {arch: small, weights: null}, epochs: 4, evaluate_every: 1}
params:
  augmentations:
    type: subset
    members: [crop, gaussian_blur, high_contrast, high_saturation, grayscale]
    max_size: 4
    excluded: [[crop, grayscale]]
    strengths: {gaussian_blur: {sigma: {type: float, low: 0.5, high: 2.0}}}
  temperature: {type: float, low: 0.05, high: 0.5, log: true}
  encoder.code_dim: {type: categorical, choices: [32, 128]}
search: {trials: 24, sampler: gp, scheduler: {grace_period: 1, reduction_factor: 2}}
resources: {cpus_per_trial: 1}
"""
WORD = re.compile(r"[\w.]+")
WORDS = sorted({*WORD.findall(SPACE), "step", "required", "config", "seed"})
# fmt: off
ODD = [
    "*a", "&a [1]", "&a [*a]", "!!int ''", "!!float x", "!!bool x", "!!timestamp x", "!!binary é", "<<: *a",
    "!!python/object/apply:os.system [ls]", "!!python/name:os.system", "!x y", "!!set {a}", "? [1]", "=",
    "0x" + "f" * 2000, "9" * 5000, "1:59:59:59", "1e400", "-1e-400", ".nan", "-.inf", "2001-99-99", "0o8",
    "'", '"', "|", ">-", "---", "...", "%YAML 9.9", "\t", "\x00", "\x85", "\ufeff", "\u202e", "\ud7ff", "#",
    "[" * 50, "{" * 50, "- " * 50, "[" * 30 + "]" * 30, "..", "/etc/passwd", "../" * 9,
]
# fmt: on
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(WORDS),
    st.sampled_from([1e308, -1e308, 1e-300, 2**63 - 1, -(2**63), 0, "", "../x", "/dev/zero"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)
NUMBERS = st.floats() | st.integers() | st.sampled_from([1e308, -1e308, 1e-300, 0.05, 0.5, 1, 0, 2**63 - 1])
RANGE = {"low": NUMBERS, "high": NUMBERS}
SUBSETS = st.lists(
    st.sampled_from(["crop", "grayscale", "gaussian_blur"]), min_size=1, max_size=3, unique=True
)
STRENGTHS = st.dictionaries(
    st.sampled_from(["crop", "gaussian_blur", "x"]),
    st.dictionaries(
        st.sampled_from(["sigma", "scale", "x"]),
        st.fixed_dictionaries({"type": st.just("float"), **RANGE}, optional={"step": NUMBERS}),
        max_size=2,
    ),
    max_size=2,
)
PARAM = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["float", "int"]), **RANGE}, optional={"step": NUMBERS, "log": st.booleans()}
    ),
    st.fixed_dictionaries({"type": st.just("categorical"), "choices": st.lists(SCALARS, max_size=4)}),
    st.fixed_dictionaries(
        {"type": st.just("subset"), "members": SUBSETS},
        optional={
            "min_size": st.integers(0, 3),
            "max_size": st.integers(0, 3),
            "required": SUBSETS,
            "excluded": st.lists(SUBSETS, max_size=2),
            "exclusive": st.lists(SUBSETS, max_size=2),
            "strengths": STRENGTHS,
        },
    ),
)
SEARCH = st.fixed_dictionaries(
    {},
    optional={
        "trials": NUMBERS,
        "time_budget": NUMBERS,
        "seed": NUMBERS,
        "stall": st.fixed_dictionaries({"trials": NUMBERS, "growth": NUMBERS}),
        "scheduler": st.fixed_dictionaries({"grace_period": NUMBERS, "reduction_factor": NUMBERS}),
        "warm_start": st.fixed_dictionaries({"paper": st.booleans()}, optional={"configs": VALUES}),
    },
)
SETTINGS = st.sampled_from(
    ["temperature", "epochs", "encoder.code_dim", "augmentations", "method", "seed", "x.y"]
)
TREES = st.fixed_dictionaries(
    {
        "base": st.fixed_dictionaries(
            {"preset": st.just("synthetic")},
            optional={"overrides": st.dictionaries(SETTINGS, SCALARS, max_size=2) | VALUES},
        ),
        "params": st.dictionaries(SETTINGS, PARAM, min_size=1, max_size=2),
    },
    optional={"search": SEARCH | VALUES, "resources": st.fixed_dictionaries({"gpus_per_trial": NUMBERS})},
)


@st.composite
def odd_yaml(draw: st.DrawFn) -> bytes:
    """Return a valid space with words replaced by odd ones."""
    text = SPACE
    for _ in range(draw(st.integers(1, 3))):
        word = draw(st.sampled_from(list(WORD.finditer(text))))
        new = draw(st.sampled_from(ODD) | st.sampled_from(WORDS))
        text = text[: word.start()] + new + text[word.end() :]
    return text.encode()


SPACES = st.one_of(
    damaged(SPACE.encode()), odd_yaml(), st.binary(max_size=200), TREES.map(lambda tree: as_yaml(tree))
)


def as_yaml(tree: object) -> bytes:
    """Return a tree as YAML, in which floats are written as numbers."""
    import yaml

    return yaml.safe_dump(tree, allow_unicode=True).encode()


@fuzz
@given(content=SPACES)
def test_spaces(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    path.write_bytes(content)

    def read() -> None:
        space = load_space(path)
        assert Space.model_validate_json(space.model_dump_json()) == space

    clean(read)
    clean(lambda: read_config(path))


# CSV

CELLS = st.one_of(
    st.sampled_from(["a.png", "b.png", "c.png", "d.png", "x", "y", "1", "2", "0.5", "path", "domain", "all"]),
    st.sampled_from(
        ["9" * 5000, "1e400", "nan", "-0", "+1", "", " ", "\0", "é", "/etc/passwd", "../a.png", "."]
    ),
    st.sampled_from(
        ["a.png\0", "/dev/zero", "x" * 5000, "a" * 300 + ".png", "~", "\x1b[2J", '"', "loop", ","]
    ),
    st.text(max_size=6),
)
TABLE = "path,domain,angle,x\na.png,x,1,0.5\nb.png,x,2,1.5\nc.png,y,1,2.5\nd.png,y,2,3.5\n"


@st.composite
def odd_csv(draw: st.DrawFn) -> bytes:
    """Return a valid table with cells replaced by odd ones."""
    rows = [line.split(",") for line in TABLE.splitlines()]
    for _ in range(draw(st.integers(1, 4))):
        row = draw(st.integers(0, len(rows) - 1))
        rows[row][draw(st.integers(0, 3))] = draw(CELLS)
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    return end.join(",".join(row) for row in rows).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for name in "abcd":
        Image.new("RGB", (4, 4), "red").save(folder / f"{name}.png")
    (folder / "loop").symlink_to(folder / "loop")
    return folder


@fuzz
@given(content=st.one_of(damaged(TABLE.encode()), odd_csv(), st.binary(max_size=200)))
def test_tables(content: bytes, pictures: Path) -> None:
    path = pictures / "labels.csv"
    path.write_bytes(content)
    clean(lambda: list(read_folder(path, "fuzzed", options=Options(image_size=4), warn=str).images))


# Binary files, in a process of their own


def small_store(folder: Path) -> bytes:
    """Return a valid store of few images: most of its bytes say where things are."""
    spec = DatasetSpec("chairs", "chair", (Attribute("angle", 4), Attribute("landmarks", None)))
    domain = np.arange(20) % 2
    labels: dict[str, np.ndarray[Any, Any]] = {
        "angle": np.arange(20) % 4,
        "landmarks": np.ones((20, 2), np.float32),
    }
    images = np.ones((20, 2, 2, 3), np.uint8)
    write_store(
        folder / "s.h5", spec, images, domain, labels, stratified_split(domain, 0), {"source": "fuzz"}
    )
    return (folder / "s.h5").read_bytes()


def small_checkpoint(folder: Path) -> bytes:
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(model.parameters())
    saved = Checkpoint(
        Config(), "print", Epoch(1, {"loss": 0.5}, None, 9.0), model.state_dict(), optimizer.state_dict()
    )
    save_checkpoint(folder / "c.pt", saved)
    return (folder / "c.pt").read_bytes()


@pytest.fixture(scope="module", params=["store", "checkpoint"])
def reader(request: pytest.FixtureRequest) -> Iterator[ReaderProcess]:
    with ReaderProcess(request.param) as process:
        yield process


MAKE: dict[str, Callable[[Path], bytes]] = {
    "store": small_store,
    "checkpoint": small_checkpoint,
}


def test_binary_files(reader: ReaderProcess, tmp_path: Path) -> None:
    valid = MAKE[reader.kind](tmp_path)
    assert reader.outcome(valid) == "ok"

    @fuzz
    @given(content=damaged(valid))
    def run(content: bytes) -> None:
        assert reader.outcome(content) in ("ok", "refused")

    run()


@fuzz
@given(data=st.data())
def test_stores_of_odd_layout(data: st.DataObject, odd_stores: tuple[ReaderProcess, Path]) -> None:
    """Valid HDF5, but not a valid store."""
    process, path = odd_stores
    small_store(path.parent)
    with h5py.File(path, "r+") as file:
        for _ in range(data.draw(st.integers(1, 3))):
            name = data.draw(st.sampled_from(["images", "domain", "split", "header", "attributes/angle"]))
            if name in file:
                del file[name]
            change(file, name, data.draw)
    assert process.outcome(path.read_bytes()) in ("ok", "refused")


@pytest.fixture(scope="module")
def odd_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ReaderProcess, Path]]:
    with ReaderProcess("store") as process:
        yield process, tmp_path_factory.mktemp("odd") / "s.h5"


def change(file: h5py.File, name: str, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
    """Put something else in the place of a dataset."""
    kind = draw(
        st.sampled_from(["array", "bytes", "text", "huge", "soft", "external", "virtual", "group", "empty"])
    )
    shape = tuple(draw(st.lists(st.sampled_from([0, 1, 2, 3, 20]), max_size=4)))
    dtype = draw(st.sampled_from(["u1", "<i8", ">i8", "f4", "S3", "?", "c8", "V2"]))
    if kind == "array":
        chunks = draw(st.booleans()) and 0 not in shape and shape != ()
        file.create_dataset(name, shape, dtype, chunks=chunks or None)
    elif kind == "bytes":
        header = draw(st.one_of(st.binary(max_size=40), damaged(b'{"spec":{"name":"x"},"fingerprint":""}')))
        file[name] = np.frombuffer(header, np.uint8)
    elif kind == "text":
        file[name] = draw(st.sampled_from(["text", "[" * 500]))
    elif kind == "huge":
        file.create_dataset(name, (1 << 40, 2, 2, 3), dtype)
    elif kind == "soft":
        file[name] = h5py.SoftLink(draw(st.sampled_from(["/domain", "/images", "/nothing", f"/{name}"])))
    elif kind == "external":
        file.create_dataset(name, (20,), dtype, external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)])
    elif kind == "virtual":
        layout = h5py.VirtualLayout((20,), dtype)
        layout[:10] = h5py.VirtualSource("/etc/hostname", "x", (10,))
        file.create_virtual_dataset(name, layout)
    elif kind == "group":
        file.create_group(name)
    else:
        file[name] = h5py.Empty("f4")


# The ledger

LEDGER_SPACE = (
    SPACE.split("search:")[0] + "search: {trials: 3, sampler: random, warm_start: {paper: false}}\n"
)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Path]:
    folder = tmp_path_factory.mktemp("search") / "fuzzed"
    folder.mkdir()
    (folder / "space.yaml").write_text(LEDGER_SPACE)
    begun = Ledger.create(
        folder / LEDGER, load_space(folder / "space.yaml"), {"fingerprint": "f", "versions": {}}
    )
    begun.ready(SpaceSampler)
    metrics = {"invariance": 0.5, "informativeness": 0.25}
    for _ in range(3):
        trial = begun.draw()
        assert trial is not None
        begun.note_epoch(trial.number, 1, training={"loss": 1.0}, metrics=metrics, intervals={})
        begun.end(trial.number, full_budget=True)
    return (folder / LEDGER).read_bytes(), folder


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("epoch/x"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def odd_ledger(draw: st.DrawFn, valid: bytes) -> bytes:
    """Return a valid ledger with values or keys of its lines replaced by odd ones."""
    lines = [json.loads(line) for line in valid.splitlines()]
    for _ in range(draw(st.integers(1, 3))):
        node = draw(st.sampled_from(lines))
        while True:
            key = draw(st.sampled_from(sorted(node)))
            if not isinstance(node[key], dict) or not node[key] or draw(st.booleans()):
                break
            node = node[key]
        if draw(st.integers(0, 3)):
            node[key] = draw(JSON)
        else:
            node[draw(st.text(max_size=5))] = node.pop(key)
        if not all(lines):
            break
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@fuzz
@given(data=st.data())
def test_ledgers(data: st.DataObject, ledger: tuple[bytes, Path]) -> None:
    valid, folder = ledger
    (folder / LEDGER).write_bytes(data.draw(damaged(valid) | odd_ledger(valid)))

    def read() -> None:
        search = Search.open("fuzzed", folder.parent)
        print_status(search.results(), Console(file=io.StringIO()))
        if search.front():
            front_csv(search.results())
            export(search.results(), "all-front", folder / "configs")

    clean(read)
