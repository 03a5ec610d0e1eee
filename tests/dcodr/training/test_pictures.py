"""Pictures of a trained method."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dcodr.data.dataset import FactorDataset
from dcodr.data.sheet import GAP, MARGIN
from dcodr.methods.method import Method
from dcodr.training.pictures import SIDE, retrieval_picture, swap_picture

CPU = torch.device("cpu")


class Means(nn.Module):
    """Codes that are an image's mean colour."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3))


class Painter(Method):
    """Rebuilds content in the red channel and its lender in the green one."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.encoder: Any = Means()

    def losses(self, batch: Any) -> dict[str, Tensor]:
        raise NotImplementedError

    def learned(self) -> dict[str, list[nn.Parameter]]:
        return {}

    def render(self, content: Tensor, lenders: Tensor, domain: Tensor) -> Tensor:
        return torch.stack([content[:, 0], lenders[:, 1], torch.zeros_like(content[:, 0])], dim=1)


def cell(picture: Any, row: int, column: int, rows: int, pitch: int) -> np.ndarray:
    """Return the pixels of an image on a sheet, counted from the lower left."""
    height = picture.height - MARGIN - (rows - row) * pitch + GAP
    left = MARGIN + column * (SIDE + GAP)
    return np.asarray(picture)[height : height + SIDE, left : left + SIDE]


def test_neighbours_stand_behind_their_query(tiny: FactorDataset) -> None:
    picture = retrieval_picture(Painter(), tiny, "validation", CPU, queries=4, neighbours=3)
    images = tiny.images[tiny.indices("validation")]
    codes = torch.from_numpy(images).float().mean(dim=(1, 2))
    codes = codes / codes.norm(dim=1, keepdim=True)
    similarity = codes @ codes.T
    similarity.fill_diagonal_(-1)
    pitch = SIDE + 6 + GAP
    for row in range(4):
        shown = [np.asarray(cell(picture, row, column, 4, pitch)) for column in range(4)]
        enlarged = [np.asarray(_enlarged(image)) for image in images]
        query = next(i for i, image in enumerate(enlarged) if np.array_equal(image, shown[0]))
        nearest = similarity[query].topk(3).indices.tolist()
        for pixels, neighbour in zip(shown[1:], nearest, strict=True):
            assert np.array_equal(pixels, enlarged[neighbour])


def test_without_attributes_nothing_is_said_of_them(tiny: FactorDataset) -> None:
    unlabelled = replace(tiny, spec=replace(tiny.spec, attributes=()), attributes={})
    with_bars, without = (
        retrieval_picture(Painter(), data, "validation", CPU, queries=4, neighbours=3)
        for data in (tiny, unlabelled)
    )
    assert without.width == with_bars.width
    assert without.height < with_bars.height - 4 * 6
    assert np.array_equal(cell(without, 3, 2, 4, SIDE + GAP), cell(with_bars, 3, 2, 4, SIDE + 6 + GAP))


def _enlarged(pixels: np.ndarray) -> Any:
    from PIL import Image

    return Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.NEAREST)


def test_content_and_lender_meet_in_a_cell(tiny: FactorDataset) -> None:
    picture = swap_picture(Painter(), tiny, "validation", CPU, images=2, domains=3)
    assert picture is not None
    pitch = SIDE + GAP
    for row in range(2):
        content = cell(picture, row, 0, 2, pitch)
        for column in range(3):
            lender = cell(picture, -1, 2 + column, 2, pitch)
            swapped = cell(picture, row, 2 + column, 2, pitch)
            assert np.array_equal(swapped[..., 0], content[..., 0])
            assert np.array_equal(swapped[..., 1], lender[..., 1])
            assert not swapped[..., 2].any()


def test_a_method_without_generator_rebuilds_nothing(tiny: FactorDataset) -> None:
    class Mute(Painter):
        def render(self, content: Tensor, lenders: Tensor, domain: Tensor) -> Any:
            return None

    assert swap_picture(Mute(), tiny, "validation", CPU) is None


@pytest.mark.parametrize("count", [1, 500])
def test_small_splits_and_many_queries(count: int, tiny: FactorDataset) -> None:
    assert retrieval_picture(Painter(), tiny, "validation", CPU, queries=count).width > SIDE
