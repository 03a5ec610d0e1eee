"""Pictures of a trained method: nearest neighbours, and images rebuilt in other domains."""

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor

from dcodr.data.dataset import FactorDataset, Split
from dcodr.data.sheet import BACKGROUND, GAP, MARGIN, below, beside, text
from dcodr.evaluation.embed import embed, float_images
from dcodr.evaluation.retrieval import Classes, matches, nearest_neighbours
from dcodr.methods.method import Method
from dcodr.palette import BLUE
from dcodr.precision import float32_products

SIDE = 96
"""Width and height of images in the pictures, in pixels."""
BAR = 6
LIGHT = (200, 200, 200)


def retrieval_picture(
    method: Method,
    data: FactorDataset,
    split: Split,
    device: torch.device,
    queries: int = 6,
    neighbours: int = 7,
) -> Image.Image:
    """Draw images of a split, of different domains if possible, each followed by its nearest neighbours.

    The gallery of the retrieval metrics also contains the training images. Encoding them for a few rows would
    take too long.
    """
    indices = data.indices(split)
    codes = embed(method.encoder, data.images, indices)
    shown = torch.from_numpy(_one_a_domain(data.domain[indices], queries))
    nearest = nearest_neighbours(codes, shown.to(device), neighbours).cpu()
    share = _share_alike(data, indices, shown, nearest)
    width = (SIDE + GAP) * (neighbours + 1) - GAP
    title = f"{data.spec.name}: {split} images, and the other {split} images with the nearest codes"
    rows = [text(title, 16, width)]
    if share is not None:
        legend = "blue: share of categorical attributes in which a neighbour matches its query"
        rows.append(text(legend, 12, width))
    for row, query in enumerate(shown.tolist()):
        cells = [_cell(data.images[indices[query]])]
        for column, neighbour in enumerate(nearest[row].tolist()):
            cell = _cell(data.images[indices[neighbour]])
            cells.append(cell if share is None else below([cell, _bar(share[row, column])], gap=0))
        rows.append(beside(cells))
    return ImageOps.expand(below(rows, gap=GAP), MARGIN, BACKGROUND)


def swap_picture(
    method: Method, data: FactorDataset, split: Split, device: torch.device, images: int = 5, domains: int = 5
) -> Image.Image | None:
    """Draw some images of a split, their reconstructions, and their content in the domains of other images.

    A method without a generator has no such picture.
    """
    indices = data.indices(split)
    chosen = indices[_one_a_domain(data.domain[indices], images + domains)]
    content, lenders = chosen[:images], chosen[-domains:]
    rebuilt = _rendered(method, data, content, content, device)
    if rebuilt is None:
        return None
    swapped = [_rendered(method, data, content, np.full_like(content, one), device) for one in lenders]
    width = (SIDE + GAP) * (domains + 2) - GAP
    blank = Image.new("RGB", (SIDE, SIDE), BACKGROUND)
    rows = [
        text(f"{data.spec.name}, {split}: images, rebuilt, and in the domains of the top row", 16, width),
        beside([blank, blank, *(_cell(data.images[one]) for one in lenders)]),
    ]
    for row, index in enumerate(content):
        others = [_cell(column[row]) for column in swapped if column is not None]
        rows.append(beside([_cell(data.images[index]), _cell(rebuilt[row]), *others]))
    return ImageOps.expand(below(rows, gap=GAP), MARGIN, BACKGROUND)


@float32_products(tf32=False)
def _rendered(
    method: Method,
    data: FactorDataset,
    content: npt.NDArray[np.int64],
    lenders: npt.NDArray[np.int64],
    device: torch.device,
) -> npt.NDArray[np.uint8] | None:
    """Return images ``(n, H, W, 3)`` with the content of some images in the domains of others."""
    training = method.training
    method.eval()
    with torch.inference_mode():
        images: Tensor | None = method.render(
            float_images(data.images, content, device),
            float_images(data.images, lenders, device),
            torch.from_numpy(data.domain[lenders]).to(device),
        )
    method.train(training)
    if images is None:
        return None
    pixels: npt.NDArray[np.uint8] = (
        images.float().clamp(0, 1).mul(255).round().permute(0, 2, 3, 1).cpu().numpy().astype(np.uint8)
    )
    return pixels


def _share_alike(
    data: FactorDataset, indices: npt.NDArray[np.int64], queries: Tensor, nearest: Tensor
) -> npt.NDArray[np.float64] | None:
    """Return ``(Q, k)`` shares of the categorical attributes in which a neighbour matches its query.

    Derived attributes would count twice and are excluded. Without categorical attributes return ``None``.
    """
    matching = [
        matches(
            Classes(torch.from_numpy(data.attributes[a.name][indices]), a.cardinality, a.margin, a.cyclic),
            queries,
            nearest,
        )
        for a in data.spec.attributes
        if a.cardinality and not a.derived
    ]
    if not matching:
        return None
    share: npt.NDArray[np.float64] = torch.stack(matching).double().mean(dim=0).numpy()
    return share


def _one_a_domain(domain: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Return ``count`` positions, of different domains as long as there are unused domains."""
    # A fixed seed, so that the pictures of all trainings show the same images.
    order = np.random.default_rng(0).permutation(len(domain))
    _, first = np.unique(domain[order], return_index=True)
    first = np.sort(first)
    # First one image of each domain, then the other images, all in random order.
    rest = np.setdiff1d(np.arange(len(order)), first)
    chosen: npt.NDArray[np.int64] = order[np.concatenate([first, rest])[:count]]
    return chosen


def _bar(share: float) -> Image.Image:
    bar = Image.new("RGB", (SIDE, BAR), LIGHT)
    bar.paste(BLUE, (0, 0, round(share * SIDE), BAR))
    return bar


def _cell(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(np.asarray(pixels))
    return image.resize((SIDE, SIDE), Image.Resampling.NEAREST)
