"""The HDF5 layout of a store, and a store whose images are written into it one chunk after the other.

A store holds ``images`` ``(N, H, H, 3)`` uint8, ``domain`` ``(N,)`` int64, ``attributes/<name>`` ``(N,)``
int64 or ``(N, K)`` float32, ``split`` ``(N,)`` uint8, and ``header``, the bytes of a JSON text with spec,
provenance and fingerprint. Each is contiguous and uncompressed, and nothing has a variable length, so that a
few comparisons detect a damaged store. ``format_version`` is an attribute of the file.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from dcodr.data.dataset import DatasetSpec, Images, Labels
from dcodr.errors import UserError

FORMAT_VERSION = 1
NO_FINGERPRINT = "0" * 64
"""Stands in the header until all images are written. It is as long as a fingerprint."""


@dataclass(frozen=True)
class Header:
    """The JSON text of a store."""

    spec: DatasetSpec
    provenance: dict[str, str | int | float]
    fingerprint: str


HEADER = TypeAdapter(Header)
_SPEC = TypeAdapter(DatasetSpec)


@dataclass(frozen=True)
class Content:
    """All that a store holds except its images, as in :class:`FactorDataset`; labels are checked."""

    spec: DatasetSpec
    domain: npt.NDArray[np.int64]
    attributes: Mapping[str, Labels]
    split: npt.NDArray[np.uint8]
    provenance: Mapping[str, str | int | float]

    def digest(self) -> "hashlib._Hash":
        """Begin the fingerprint: SHA-256 of spec, labels and splits, to which the images are added.

        The images' bytes and the number of labels imply the shape of the images.
        """
        # Without default values, so that a field added later to the spec changes no fingerprint.
        digest = hashlib.sha256(_SPEC.dump_json(self.spec, exclude_defaults=True))
        labels = (self.attributes[attribute.name] for attribute in self.spec.attributes)
        for values in (self.domain, *labels, self.split):
            # Shapes are included, because the same bytes can belong to different shapes.
            digest.update(str(values.shape).encode())
            digest.update(np.ascontiguousarray(values).data)
        return digest


def lay_out(path: Path, content: Content, image_size: int) -> None:
    """Write a new file: a store without images, which :class:`Filling` adds; their place is reserved."""
    header = HEADER.dump_json(Header(content.spec, dict(content.provenance), NO_FINGERPRINT))
    reserved = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    reserved.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    reserved.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    with h5py.File(path, "x") as file:
        shape = len(content.domain), image_size, image_size, 3
        file.create_dataset("images", shape, np.uint8, dcpl=reserved)
        file["domain"] = content.domain
        file["split"] = content.split
        for name, values in content.attributes.items():
            file[f"attributes/{name}"] = values
        file["header"] = np.frombuffer(header, np.uint8)
        file.attrs["format_version"] = FORMAT_VERSION


class Filling:
    """Writes images, in order, into a store of :func:`lay_out`.

    The HDF5 file itself is never changed, only bytes in places reserved in it, so that it stays readable when
    the process is killed at any moment. Use it as a context manager.

    Attributes:
        done: Number of images in place.
    """

    def __init__(self, path: Path, content: Content) -> None:
        self.done = 0
        self._name = content.spec.name
        self._digest = content.digest()
        with h5py.File(path, "r") as file:
            self._shape: tuple[int, ...] = file["images"].shape
            self._images = int(file["images"].id.get_offset())
            self._header = int(file["header"].id.get_offset())
            self._json = bytes(file["header"][...])
        self._file = path.open("r+b")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, chunk: Images) -> None:
        """Write the next images.

        Raises:
            UserError: If they do not have the images' type or size, or there are more than labels.
        """
        stop = self.done + len(chunk)
        if chunk.dtype != np.uint8 or chunk.shape[1:] != self._shape[1:] or stop > self._shape[0]:
            raise UserError(
                f"dataset {self._name}, images {self.done}..{stop - 1}: {chunk.dtype} of shape "
                f"{chunk.shape}; expected uint8, {self._shape[0]} in all, each of shape {self._shape[1:]}"
            )
        raw = np.ascontiguousarray(chunk).data
        self._seek(self.done)
        self._file.write(raw)
        self._digest.update(raw)
        self.done = stop

    def keep(self, n_images: int, sha256: str) -> bool:
        """Take the next images as they are in the file, if they have a checksum; tell whether they do."""
        n_images = min(n_images, self._shape[0] - self.done)
        self._seek(self.done)
        raw = self._file.read(n_images * self._image_bytes)
        if len(raw) < n_images * self._image_bytes or hashlib.sha256(raw).hexdigest() != sha256:
            return False
        self._digest.update(raw)
        self.done += n_images
        return True

    def flush(self) -> None:
        """Hand everything written to the operating system, which keeps it if this process is killed."""
        self._file.flush()

    def seal(self) -> None:
        """Write the fingerprint, which completes the store.

        Raises:
            UserError: If images are missing.
        """
        if self.done < self._shape[0]:
            raise UserError(f"dataset {self._name}: {self.done} images for {self._shape[0]} labels")
        header = replace(HEADER.validate_json(self._json), fingerprint=self._digest.hexdigest())
        raw = HEADER.dump_json(header)
        assert len(raw) == len(self._json)
        self._file.seek(self._header)
        self._file.write(raw)
        self._file.flush()

    @property
    def _image_bytes(self) -> int:
        return self._shape[1] * self._shape[2] * self._shape[3]

    def _seek(self, image: int) -> None:
        self._file.seek(self._images + image * self._image_bytes)


def own_dataset(file: Any, name: str) -> Any:
    """Return a dataset that is stored in the file itself.

    HDF5 can also place a dataset, or its values, in any other file: behind a soft or external link, in
    external storage, or as a virtual dataset. Such datasets are rejected.

    Args:
        file: An open ``h5py.File``.
        name: Path of the dataset within it.

    Returns:
        The ``h5py.Dataset``, or ``None`` if there is none.
    """
    node = file
    # Check every part of the path: a link may also stand in place of a folder.
    for part in name.split("/"):
        if not isinstance(node, h5py.Group) or not isinstance(node.get(part, getlink=True), h5py.HardLink):
            return None
        node = node.get(part)
    own = isinstance(node, h5py.Dataset) and node.external is None and not node.is_virtual
    return node if own else None
