"""Stores of datasets: written in one step, opened memory-mapped. See :mod:`dcodr.data.layout`."""

import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from dcodr.data.dataset import FIT_MODES, Attribute, DatasetSpec, FactorDataset, Images, Labels
from dcodr.data.labels import attribute_labels, check_spec, check_split, class_ids, dense_domains
from dcodr.data.layout import FORMAT_VERSION, HEADER, Content, Filling, lay_out, own_dataset
from dcodr.data.sources.cars3d import CARS3D
from dcodr.errors import UserError
from dcodr.files import appearing

CHUNK = 1024

_EARLIER_CARS3D = replace(CARS3D, attributes=tuple(replace(one, derived=False) for one in CARS3D.attributes))
"""The spec in Cars3D stores from before the pose was marked as derived."""


def write_store(
    path: Path,
    spec: DatasetSpec,
    images: Images | Iterable[Images],
    domain: npt.NDArray[Any],
    attributes: Mapping[str, npt.NDArray[Any]],
    split: npt.NDArray[np.uint8],
    provenance: Mapping[str, str | int | float],
) -> None:
    """Write a dataset; the file appears complete or not at all, and replaces an older file.

    Args:
        path: The store to write; its folder is created.
        spec: The meaning of the labels; ``spec.domains`` may name the values of ``domain``.
        images: ``(N, H, H, 3)`` RGB, at once or in chunks along N, which are read one at a time.
        domain: ``(N,)`` whole numbers from 0; the store renumbers the domains ``0..D-1``.
        attributes: Labels of each attribute of ``spec``, shaped as in ``FactorDataset``.
        split: ``(N,)`` index into ``SPLITS``.
        provenance: Origin and preparation of the data.

    Raises:
        UserError: If labels, splits or images are invalid, or the file cannot be written.
    """
    content = checked(spec, domain, attributes, split, provenance)
    chunks = iter(_chunks(images) if isinstance(images, np.ndarray) else images)
    with appearing(path) as temporary:
        first = next(chunks, None)
        if first is None:
            raise UserError(f"dataset {spec.name}: no images for {len(domain)} labels")
        # The size of the images is known only with the first chunk.
        require_space(path.parent, len(domain) * first[0].nbytes, spec.name)
        lay_out(temporary, content, first.shape[1])
        with Filling(temporary, content) as filling:
            for chunk in chain([first], chunks):
                filling.append(chunk)
            filling.seal()


def checked(
    spec: DatasetSpec,
    domain: npt.NDArray[Any],
    attributes: Mapping[str, npt.NDArray[Any]],
    split: npt.NDArray[np.uint8],
    provenance: Mapping[str, str | int | float],
) -> Content:
    """Check the labels and splits of a store to write; see :func:`write_store`.

    Raises:
        UserError: If one of them is invalid.
    """
    check_spec(spec, f"dataset {spec.name}")
    domain, spec = dense_domains(domain, spec, f"dataset {spec.name}, {spec.domain}")
    if set(attributes) != {attribute.name for attribute in spec.attributes}:
        raise UserError(f"dataset {spec.name}: labels for {sorted(attributes)} do not match its attributes")
    labels = {
        attribute.name: attribute_labels(
            attributes[attribute.name], attribute, len(domain), f"dataset {spec.name}, {attribute.name}"
        )
        for attribute in spec.attributes
    }
    check_split(split, domain, spec, f"dataset {spec.name}, split")
    return Content(spec, domain, labels, split, provenance)


def open_store(path: str | Path) -> FactorDataset:
    """Open a dataset without loading its images.

    Images are mapped copy-on-write: processes on one machine share the pages, and writing to the array
    changes neither the file nor the arrays of other processes.

    Raises:
        UserError: If the file is missing, or is not a complete and valid store.
    """
    path = Path(path)
    if not path.is_file():
        from dcodr.data.datasets import PUBLISHED

        raise UserError(
            f"{path} is not there: make it with `python -m dcodr data prepare NAME --out {path}`; "
            f"NAME is synthetic, {', '.join(PUBLISHED)}, folder, huggingface or torchvision"
        )
    try:
        # Labels and images are read through one open file, even if the path is replaced meanwhile.
        with path.open("rb") as raw, h5py.File(raw, "r") as file:
            return _read(file, raw)
    except UserError as error:
        raise _invalid(path, error) from error
    # A damaged file makes h5py raise any of these.
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, OverflowError, MemoryError) as error:
        raise _invalid(path, f"cannot be read as HDF5 ({error})") from error


def verify_store(path: Path) -> None:
    """Read all images and labels and compare them with the stored fingerprint.

    Raises:
        UserError: If the file is not a valid store, or its content has changed since it was written.
    """
    data = open_store(path)
    digest = Content(data.spec, data.domain, data.attributes, data.split, data.provenance).digest()
    for chunk in _chunks(data.images):
        digest.update(np.ascontiguousarray(chunk).data)
    if (found := digest.hexdigest()) != data.fingerprint:
        raise _invalid(path, f"is damaged: it has fingerprint {data.fingerprint}, its content {found}")


def require_space(folder: Path, n_bytes: int, name: str) -> None:
    """Check that the disk has room for all images before the first one is written."""
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        raise UserError(
            f"dataset {name}: its images take {n_bytes / 1e9:.1f} GB, but {folder} has {free / 1e9:.1f} GB "
            "left: make room, write it elsewhere, or prepare fewer or smaller images"
        )


def _chunks(images: Images) -> Iterator[Images]:
    return (images[start : start + CHUNK] for start in range(0, len(images), CHUNK))


def _read(file: Any, raw: BinaryIO) -> FactorDataset:
    version = file.attrs.get("format_version")
    if version != FORMAT_VERSION:
        raise UserError(f"has format version {version}, not {FORMAT_VERSION}")
    piece = partial(_contiguous, file, os.fstat(raw.fileno()).st_size)
    try:
        header = HEADER.validate_json(piece("header", np.uint8)[...].tobytes(), strict=True)
    except ValidationError as error:
        raise UserError(f"header is damaged: {error.errors()[0]['msg']}") from error
    spec = header.spec
    check_spec(spec, "header")
    if replace(spec, domains=()) == _EARLIER_CARS3D:
        raise UserError("was prepared by an earlier version, in which informativeness counted the pose twice")
    if header.provenance.get("fit", "crop") not in FIT_MODES:
        raise UserError(f"header: fit is {header.provenance['fit']!r}; expected {', '.join(FIT_MODES)}")
    images = piece("images", np.uint8)
    if images.ndim != 4 or images.shape[1:] != (images.shape[1], images.shape[1], 3):
        raise UserError(f"images has shape {images.shape}; expected (N, H, H, 3)")
    n_images = len(images)
    domain = class_ids(piece("domain", np.int64)[...], len(spec.domains), n_images, "domain")
    attributes = {
        attribute.name: _stored_labels(piece, f"attributes/{attribute.name}", attribute, n_images)
        for attribute in spec.attributes
    }
    split = piece("split", np.uint8)[...]
    check_split(split, domain, spec, "split")
    return FactorDataset(
        spec=spec,
        images=np.memmap(raw, np.uint8, mode="c", offset=images.id.get_offset(), shape=images.shape),
        domain=domain,
        attributes=attributes,
        split=split,
        fingerprint=header.fingerprint,
        provenance=header.provenance,
    )


def _stored_labels(
    piece: Callable[[str, type], Any], path: str, attribute: Attribute, n_images: int
) -> Labels:
    kind = np.float32 if attribute.cardinality is None else np.int64
    return attribute_labels(piece(path, kind)[...], attribute, n_images, path)


def _contiguous(file: Any, size: int, name: str, dtype: type) -> Any:
    """Return a dataset of the file; check that it is contiguous and complete."""
    dataset = own_dataset(file, name)
    if dataset is None:
        raise UserError(f"{name} is missing or damaged, or lies in another file")
    if dataset.dtype != dtype:
        raise UserError(f"{name} is {dataset.dtype}, not {np.dtype(dtype)}")
    offset = dataset.id.get_offset()
    if dataset.chunks is not None or offset is None:
        raise UserError(f"{name} is not stored in one piece within the file")
    # Access to a memory map beyond the end of the file would kill the process.
    if offset + math.prod(dataset.shape) * dataset.dtype.itemsize > size:
        raise UserError(f"{name} of shape {dataset.shape} goes beyond the end of the file")
    return dataset


def _invalid(path: Path, reason: object) -> UserError:
    return UserError(f"{path}: {reason}; prepare the dataset again")
