"""Files of codes: Parquet that comes back, CSV and NumPy for other programs."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dcodr.embeddings.table import Embeddings, read_embeddings
from dcodr.errors import UserError

CODES = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
NAMES = ["a/1.png", "b, c.png", 'say "hi".png', "ü.png", "5.png"]
TABLE = Embeddings(
    CODES, {"path": NAMES, "domain": list("aabbc")}, "/photos", 64, "/trained", "pad", "e" * 64, "f" * 64
)


def test_parquet_comes_back_bit_for_bit(tmp_path: Path) -> None:
    assert TABLE.write(tmp_path / "new" / "codes.parquet") == [tmp_path / "new" / "codes.parquet"]
    again = read_embeddings(str(tmp_path / "new" / "codes.parquet"))
    assert again.codes.dtype == np.float32
    assert np.array_equal(again.codes, CODES)
    assert dict(again.columns) == dict(TABLE.columns)
    for fact in ("images", "image_size", "encoder", "fit", "encoder_fingerprint", "store_fingerprint"):
        assert getattr(again, fact) == getattr(TABLE, fact)


def test_csv_and_numpy_hold_the_same(tmp_path: Path) -> None:
    assert TABLE.write(tmp_path / "codes.csv") == [tmp_path / "codes.csv"]
    with (tmp_path / "codes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == NAMES
    numbers = [[float(row[f"code_{i}"]) for i in range(3)] for row in rows]
    assert np.array_equal(np.array(numbers, dtype=np.float32), CODES)
    assert TABLE.write(tmp_path / "codes.npy") == [tmp_path / "codes.npy", tmp_path / "codes.columns.csv"]
    assert np.array_equal(np.load(tmp_path / "codes.npy", allow_pickle=False), CODES)
    with (tmp_path / "codes.columns.csv").open(newline="") as file:
        assert [row["domain"] for row in csv.DictReader(file)] == list("aabbc")


def test_any_program_reads_the_parquet_file(tmp_path: Path) -> None:
    TABLE.write(tmp_path / "codes.parquet")
    table = pq.read_table(tmp_path / "codes.parquet")
    assert table.column_names == ["path", "domain", "code"]
    assert np.array_equal(np.array(table.column("code").to_pylist(), dtype=np.float32), CODES)


def test_other_endings_are_refused_and_write_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"should end in \.parquet, \.csv or \.npy"):
        TABLE.write(tmp_path / "codes.txt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", ["parquet", "csv", "npy"])
@pytest.mark.parametrize("name", ["code", "code_1"])
def test_a_label_that_would_be_lost_is_not_written(name: str, ending: str, tmp_path: Path) -> None:
    table = Embeddings(CODES, {"path": NAMES, name: list("aabbc")}, "/photos", 64, "/trained")
    with pytest.raises(UserError, match=rf"rename {name}: "):
        table.write(tmp_path / f"codes.{ending}")
    assert not list(tmp_path.iterdir())


def test_columns_must_fit_the_codes() -> None:
    with pytest.raises(UserError, match="one text for each code"):
        Embeddings(CODES, {"path": NAMES[:4]}, "/photos", 64, "/trained")


def foreign(
    path: Path, header: dict[str, object] | None, codes: list[list[float]], names: list[str | None]
) -> None:
    columns = {"path": pa.array(names, pa.string()), "code": pa.array(codes, pa.list_(pa.float32(), 2))}
    metadata = {} if header is None else {"dcodr": json.dumps(header)}
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)


HEADER: dict[str, object] = {"images": "/photos", "image_size": 64, "encoder": "/trained"}


@pytest.mark.parametrize(
    ("header", "codes", "names"),
    [
        (None, [[0.0, 1.0]], ["a"]),
        ({}, [[0.0, 1.0]], ["a"]),
        ({**HEADER, "fit": "fold"}, [[0.0, 1.0]], ["a"]),
        (HEADER, [[0.0, float("nan")]], ["a"]),
        (HEADER, [[0.0, 1.0]], [None]),
    ],
)
def test_parquet_of_other_programs_is_refused(
    header: dict[str, object] | None, codes: list[list[float]], names: list[str | None], tmp_path: Path
) -> None:
    foreign(tmp_path / "codes.parquet", HEADER, [[0.0, 1.0]], ["a"])
    earlier = read_embeddings(tmp_path / "codes.parquet")
    assert (earlier.names, earlier.fit) == (["a"], "crop")
    foreign(tmp_path / "codes.parquet", header, codes, names)
    with pytest.raises(UserError, match=r"codes\.parquet: damaged, or not written by"):
        read_embeddings(tmp_path / "codes.parquet")


def test_damage_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_embeddings(tmp_path / "codes.parquet")
    TABLE.write(tmp_path / "codes.parquet")
    content = (tmp_path / "codes.parquet").read_bytes()
    for length in (0, 4, len(content) // 2, len(content) - 1):
        (tmp_path / "codes.parquet").write_bytes(content[:length])
        with pytest.raises(UserError, match="damaged, or not written by"):
            read_embeddings(tmp_path / "codes.parquet")
    TABLE.write(tmp_path / "codes.csv")
    with pytest.raises(UserError, match=r"give the \.parquet file"):
        read_embeddings(tmp_path / "codes.csv")
