"""Nearest codes against a naive search, and the map's positions, colours and images."""

import base64
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dcodr.embeddings import map as maps
from dcodr.embeddings.neighbours import SIDE, of_codes, of_rows, sheet
from dcodr.embeddings.table import Embeddings
from dcodr.errors import UserError
from tests.dcodr.embeddings.photographs import COLORS


def table_of(codes: Any, columns: dict[str, list[str]] | None = None, images: str = "/photos") -> Embeddings:
    codes = np.asarray(codes, dtype=np.float32)
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    names = [f"{i}.png" for i in range(len(codes))]
    return Embeddings(codes, {"path": names, **(columns or {})}, images, 64, "/trained")


@given(st.integers(2, 30), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_neighbours_are_those_of_a_naive_search(n: int, top: int, seed: int) -> None:
    table = table_of(np.random.default_rng(seed).normal(size=(n, 4)))
    similarity = table.codes @ table.codes.T
    for one, row in zip(of_rows(table, range(n), top), range(n), strict=True):
        expected = [i for i in np.argsort(-similarity[row], kind="stable").tolist() if i != row][:top]
        assert one.query == f"{row}.png"
        assert list(one.rows) == expected
        assert np.allclose(one.similarity, similarity[row, expected], atol=1e-5)


def test_an_image_without_a_code_may_find_its_twin() -> None:
    table = table_of([[1, 0], [0, 1], [1, 1]])
    (found,) = of_codes(table, table.codes[2:], ["new.png"], 2)
    assert found.rows[0] == 2
    assert found.similarity[0] == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda table: of_rows(table, [99], 2), r"there is no row 99: the table has rows 0 to 2"),
        (lambda table: of_rows(table, [-1], 2), r"there is no row -1"),
        (lambda table: of_rows(table, [0], 0), r"top=0: should be at least 1"),
        (lambda table: of_codes(table, np.ones((1, 3), np.float32), ["new"], 2), r"should have 2 numbers"),
        (
            lambda table: maps.positions(table.codes, cast(Any, "tsne")),
            r"method='tsne': should be one of pca, umap",
        ),
    ],
)
def test_impossible_requests_are_refused(call: Callable[[Embeddings], object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        call(table_of([[1, 0], [0, 1], [1, 1]]))


def colored(folder: Path) -> Embeddings:
    """Six plain images, with codes on a line and some labels."""
    for i, color in enumerate(COLORS):
        Image.new("RGB", (80, 60), color).save(folder / f"{i}.png")
    codes = [[1, 0.1 * i] for i in range(6)]
    columns = {"domain": list("ababab"), "size": [str(i / 2) for i in range(6)]}
    return table_of(codes, columns, str(folder))


def test_the_sheet_shows_queries_and_their_neighbours(tmp_path: Path) -> None:
    table = colored(tmp_path)
    (found,) = of_rows(table, [0], 2)
    assert list(found.rows) == [1, 2]
    query = np.asarray(Image.new("RGB", (64, 64), "red"))
    pixels = np.asarray(sheet(table, [found], [query], pytest.fail))
    for color in ((255, 0, 0), (0, 128, 0), (0, 0, 255)):  # red, then CSS's green and blue
        assert (pixels == color).all(axis=2).sum() == SIDE * SIDE
    columns = [np.flatnonzero((pixels == c).all(axis=2).any(axis=0))[0] for c in ((255, 0, 0), (0, 128, 0))]
    assert columns[0] < columns[1]


def test_pca_keeps_as_much_of_the_variance_as_a_plane_can() -> None:
    codes = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32) * [3, 2, 1, 1, 1, 0.5]
    found = np.cov(maps.positions(codes.astype(np.float32), "pca").T)
    eigenvalues = np.linalg.eigvalsh(np.cov(codes.T))
    assert np.allclose(found, np.diag(eigenvalues[:-3:-1]), atol=1e-4)


def test_too_few_codes_and_a_missing_umap_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="at least 3 codes; there are 2"):
        maps.positions(np.eye(2, dtype=np.float32), "pca")
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(UserError, match="pip install umap-learn"):
        maps.positions(np.eye(3, dtype=np.float32), "umap")


class StandInForUMAP:
    """Has the parameters of ``umap.UMAP`` that are used, and its limits; umap-learn is not a requirement."""

    def __init__(
        self,
        n_neighbors: float = 15,
        metric: str = "euclidean",
        init: str = "spectral",
        random_state: int | None = None,
    ) -> None:
        assert n_neighbors >= 2
        self.n_neighbors, self.metric, self.init, self.random_state = n_neighbors, metric, init, random_state

    def fit_transform(self, codes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        assert self.n_neighbors < len(codes)
        assert self.init == "random" or len(codes) > 3
        assert self.metric == "cosine"
        assert self.random_state is not None
        return codes[:, :2]


def test_umap_gets_cosine_distances_a_seed_and_no_more_than_it_can_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=StandInForUMAP))
    for n in (3, 16, 50):
        codes = np.eye(n, dtype=np.float32)
        found = maps.positions(codes, "umap")
        assert found.dtype == np.float64
        assert np.array_equal(found, codes[:, :2])


def read(page: str) -> tuple[dict[str, Any], Image.Image]:
    content = re.search(r'<script type="application/json" id="content">(.*?)</script>', page)
    picture = re.search(r'src="data:image/jpeg;base64,([^"]*)"', page)
    assert content
    assert picture
    return json.loads(content[1]), Image.open(io.BytesIO(base64.b64decode(picture[1])))


def test_the_page_holds_positions_labels_and_images(tmp_path: Path) -> None:
    table = colored(tmp_path)
    placed = np.arange(12, dtype=np.float64).reshape(6, 2)
    content, images = read(maps.render_map(table, placed, "a map", pytest.fail))
    assert (content["x"], content["y"]) == (placed[:, 0].tolist(), placed[:, 1].tolist())
    assert content["names"] == table.names
    assert content["labels"] == {
        "domain": {"classes": ["a", "b"], "ids": [0, 1, 0, 1, 0, 1], "colored": [0, 1]},
        "size": {"values": [0, 0.5, 1, 1.5, 2, 2.5]},
    }
    for i, color in enumerate(COLORS):
        expected = Image.new("RGB", (1, 1), color).getpixel((0, 0))
        shown = images.getpixel((i * maps.TILE + 24, 24))
        assert np.allclose(shown, expected, atol=12)  # type: ignore[arg-type]


def test_a_page_of_many_images_says_how_many_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "MOST_IMAGES", 3)
    page = maps.render_map(colored(tmp_path), np.zeros((6, 2)), "a map", pytest.fail)
    assert read(page)[0]["shown"] == [0, 2, 5]
    assert "3 of the images are in this page" in page


def label_of(cells: list[str], folder: Path) -> dict[str, Any]:
    """The label of these cells in the page of a map."""
    for i in range(len(cells)):
        Image.new("RGB", (8, 8)).save(folder / f"{i}.png")
    table = table_of(np.eye(len(cells)), {"label": cells}, str(folder))
    page = maps.render_map(table, np.zeros((len(cells), 2)), "a map", pytest.fail)
    return dict(read(page)[0]["labels"]["label"])


@pytest.mark.parametrize("prefix", ["person ", ""])
def test_the_most_frequent_of_many_classes_have_colours(prefix: str, tmp_path: Path) -> None:
    # 30 classes, the ids of the first ones on the most images; ids are no quantities.
    cells = [f"{prefix}{100 + i}" for i in range(30) for _ in range(4 if i < 23 else 2)]
    label = label_of(cells, tmp_path)
    assert [label["classes"][i] for i in label["ids"]] == cells
    assert [label["classes"][i] for i in label["colored"]] == [f"{prefix}{100 + i}" for i in range(23)]
    assert label_of(cells[:94], tmp_path)["colored"] == list(range(24))


def test_classes_of_one_image_each_have_no_colours(tmp_path: Path) -> None:
    assert label_of([f"id {i}" for i in range(30)], tmp_path)["colored"] == []


@pytest.mark.parametrize(("last", "continuous"), [("0.5", True), ("5", False), ("1e999", False)])
def test_continuous_labels_have_a_scale(last: str, continuous: bool, tmp_path: Path) -> None:
    label = label_of([*map(str, range(40)), last], tmp_path)
    assert label.get("values") == ([*range(40), 0.5] if continuous else None)


def test_names_and_labels_are_shown_as_text(tmp_path: Path) -> None:
    evil = "</script><script>hacked=1</script>&"
    table = colored(tmp_path)
    table = Embeddings(table.codes, {**table.columns, evil: [evil] * 6}, table.images, 64, "/trained")
    page = maps.render_map(table, np.zeros((6, 2)), evil, pytest.fail)
    assert evil not in page
    assert read(page)[0]["labels"][evil] == {"classes": [evil], "ids": [0] * 6, "colored": [0]}
