"""The datasets of the paper: the table that ``data download``, ``data prepare`` and ``data info`` read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dcodr.data.dataset import RawDataset
from dcodr.data.sources.cars3d import read_cars3d
from dcodr.data.sources.celeba import read_celeba
from dcodr.data.sources.edges2shoes import read_edges2shoes
from dcodr.data.sources.images import Progress
from dcodr.data.sources.shapes3d import read_shapes3d
from dcodr.data.sources.smallnorb import read_smallnorb

Name = Literal["cars3d", "smallnorb", "shapes3d", "celeba", "edges2shoes"]


@dataclass(frozen=True)
class Remote:
    """A published file.

    Attributes:
        url: The file's address.
        checksum: ``md5:...`` or ``sha256:...``, as recorded by several independent projects (the authors are
            not known to publish any), or ``None`` if none is known.
    """

    url: str
    checksum: str | None = None

    @property
    def name(self) -> str:
        """The file's name, the last part of the address."""
        return self.url.rsplit("/", 1)[1]


@dataclass(frozen=True)
class Published:
    """A published dataset.

    Attributes:
        about: What is read, for the command's help.
        raw: The published files that its reader needs, for the command's help.
        read: Reads the folder of the files, with a seed, a number of images to draw, and a callback.
        n_domains: Number of domains of the whole dataset; ``None`` if it depends on the splits.
        n_images: Number of images that are drawn by default; 0 if all are read.
        remotes: The files to download; empty if they have to be downloaded by hand.
        unpacked: The subfolder of the download that ``read`` needs.
        by_hand: What to download by hand.
    """

    about: str
    raw: str
    read: Callable[[Path, int, int, Progress | None], RawDataset]
    n_domains: int | None
    n_images: int = 0
    remotes: tuple[Remote, ...] = ()
    unpacked: str = ""
    by_hand: str = ""


_NORB = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/smallnorb-5x"
_ZAPPOS = "https://vision.cs.utexas.edu/projects/finegrained/utzap50k/"

PUBLISHED: Mapping[Name, Published] = {
    "cars3d": Published(
        about="Read Cars3D: 183 cars from 96 directions each.",
        raw="the original car_*_mesh.mat files",
        read=lambda raw, seed, n_images, on_progress: read_cars3d(raw, on_progress),
        n_domains=183,
        remotes=(
            Remote(
                "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",
                "md5:4e866a7919c1beedf53964e6f7a23686",
            ),
        ),
        unpacked="data/cars",
    ),
    "smallnorb": Published(
        about="Read SmallNORB: 50 toys from 162 directions under 6 lightings.",
        raw="the original smallnorb-5x*.mat or .mat.gz files",
        read=lambda raw, seed, n_images, on_progress: read_smallnorb(raw, on_progress),
        n_domains=50,
        remotes=(
            Remote(
                f"{_NORB}46789x9x18x6x2x96x96-training-dat.mat.gz", "md5:66054832f9accfe74a0f4c36a75bc0a2"
            ),
            Remote(
                f"{_NORB}46789x9x18x6x2x96x96-training-cat.mat.gz", "md5:23c8b86101fbf0904a000b43d3ed2fd9"
            ),
            Remote(
                f"{_NORB}46789x9x18x6x2x96x96-training-info.mat.gz", "md5:51dee1210a742582ff607dfd94e332e3"
            ),
            Remote(f"{_NORB}01235x9x18x6x2x96x96-testing-dat.mat.gz", "md5:e4ad715691ed5a3a5f138751a4ceb071"),
            Remote(f"{_NORB}01235x9x18x6x2x96x96-testing-cat.mat.gz", "md5:5aa791cd7e6016cf957ce9bdb93b8603"),
            Remote(
                f"{_NORB}01235x9x18x6x2x96x96-testing-info.mat.gz", "md5:a9454f3864d7fd4bb3ea7fc3eb84924e"
            ),
        ),
    ),
    "shapes3d": Published(
        about="Read Shapes3D: images drawn from its 480,000 scenes.",
        raw="the original 3dshapes.h5",
        read=lambda raw, seed, n_images, on_progress: read_shapes3d(raw, n_images, seed, on_progress),
        n_domains=4,
        n_images=62_500,
        remotes=(
            Remote(
                "https://storage.googleapis.com/3d-shapes/3dshapes.h5",
                "sha256:0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785",
            ),
        ),
    ),
    "celeba": Published(
        about="Read CelebA: faces of people with at least 20 training images.",
        raw="img_align_celeba, identity_CelebA.txt and list_landmarks_align_celeba.txt",
        read=lambda raw, seed, n_images, on_progress: read_celeba(raw, seed, on_progress),
        n_domains=None,
        by_hand="img_align_celeba.zip, identity_CelebA.txt and list_landmarks_align_celeba.txt from "
        "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    ),
    "edges2shoes": Published(
        about="Read Edges2Shoes: photos of shoes and their edges, labelled by UT-Zappos50K.\n\n"
        "First the photos of both datasets are matched, which takes some minutes.",
        raw="edges2shoes, ut-zap50k-data and ut-zap50k-images-square",
        read=lambda raw, seed, n_images, on_progress: read_edges2shoes(raw, on_progress),
        n_domains=2,
        remotes=(
            Remote("http://efrosgans.eecs.berkeley.edu/pix2pix/datasets/edges2shoes.tar.gz"),
            Remote(f"{_ZAPPOS}ut-zap50k-data.zip"),
            Remote(f"{_ZAPPOS}ut-zap50k-images-square.zip"),
        ),
    ),
}
"""The datasets by name, which is also the name of their preset."""
