"""Rules for labels, shared by the writer and the reader of datasets.

The argument ``where`` names the origin of the values in error messages.
"""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dcodr.data.dataset import SPLITS, Attribute, DatasetSpec, Labels
from dcodr.errors import UserError
from dcodr.words import counted

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
"""Allowed names of datasets, domains, attributes and losses: metrics, files and MLflow use them."""
MAX_CLASSES = 100_000


def check_spec(spec: DatasetSpec, where: str) -> None:
    """Check the names of a spec, its numbers of classes and its margins.

    Raises:
        UserError: If a name cannot be used or is repeated, a probe cannot have so many classes, or a margin
            is impossible.
    """
    attributes = [attribute.name for attribute in spec.attributes]
    for name in (spec.name, spec.domain, *attributes):
        if not NAME.fullmatch(name):
            raise UserError(f"{where}: {name!r} is not a valid name; letters, digits, - and _ are allowed")
        if attributes.count(name) > 1:
            raise UserError(f"{where}: two attributes are called {name}")
    if attributes and all(attribute.derived for attribute in spec.attributes):
        raise UserError(f"{where}: all attributes are derived; informativeness needs one that is not")
    if spec.domain in attributes:
        raise UserError(
            f"{where}: {spec.domain} is the domain and an attribute; codes cannot both lack and hold it"
        )
    for attribute in spec.attributes:
        if attribute.name in ("all", "domain"):
            raise UserError(f"{where}: an attribute is called {attribute.name}, which metrics use: rename it")
        if attribute.cardinality is not None and not 1 <= attribute.cardinality <= MAX_CLASSES:
            raise UserError(
                f"{where}: {attribute.name} has {attribute.cardinality} classes; allowed are 1..{MAX_CLASSES}"
            )
        if not 0 <= attribute.margin < (attribute.cardinality or 1):
            raise UserError(
                f"{where}: {attribute.name} has a margin of {attribute.margin}; it must be less than the "
                "number of classes, and 0 if there are none"
            )


def attribute_labels(values: npt.NDArray[Any], attribute: Attribute, n_images: int, where: str) -> Labels:
    """Convert the labels of one attribute to the type of a dataset's labels.

    Args:
        values: ``(N,)`` class ids if the attribute is categorical, ``(N, K)`` finite numbers if continuous.
        attribute: The meaning of the labels.
        n_images: N.
        where: Names the values.

    Raises:
        UserError: If a value is not a valid label; the message names its row.
    """
    if attribute.cardinality is not None:
        if attribute.classes and len(attribute.classes) != attribute.cardinality:
            raise UserError(
                f"{where}: {len(attribute.classes)} class names for {attribute.cardinality} classes"
            )
        return class_ids(values, attribute.cardinality, n_images, where)
    if values.ndim != 2 or len(values) != n_images or values.dtype.kind not in "iuf":
        raise UserError(f"{where}: {_received(values)}; expected numbers of shape ({n_images}, K)")
    # A number beyond float32 becomes infinite and is refused below.
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float32)
    finite = np.logical_and.reduce(np.isfinite(numbers), axis=1)
    _refuse(~finite, values, where, "expected finite numbers")
    return numbers


def class_ids(values: npt.NDArray[Any], cardinality: int, n_images: int, where: str) -> npt.NDArray[np.int64]:
    """Return class ids ``0..cardinality-1``, ``(N,)``, from numbers of any type.

    Raises:
        UserError: If a value is not a valid id; the message names its row.
    """
    ids = _whole_numbers(values, n_images, where)
    _refuse(ids >= cardinality, values, where, f"expected a class id in 0..{cardinality - 1}")
    return ids


def dense_domains(
    values: npt.NDArray[Any], spec: DatasetSpec, where: str
) -> tuple[npt.NDArray[np.int64], DatasetSpec]:
    """Number the domains ``0..D-1`` in the order of their labels, and name them.

    Args:
        values: ``(N,)`` whole numbers from 0 of any type, e.g. the identities of a subset of people.
        spec: Its ``domains`` name the values; without them, the values serve as names.
        where: Names the values.

    Returns:
        ``(N,)`` domains, and the spec with their names.

    Raises:
        UserError: If a value is not a whole number from 0, or there is only one domain.
    """
    labels, dense = np.unique(_whole_numbers(values, len(values), where), return_inverse=True)
    if len(labels) < 2:
        raise UserError(f"{where}: only {len(labels)} domain; at least 2 are needed")
    if spec.domains and labels[-1] >= len(spec.domains):
        raise UserError(f"{where}: label {labels[-1]}, but only {len(spec.domains)} domains are named")
    # Labels may have gaps, for example the numbers of people who were kept. Each keeps its own name.
    names = tuple(spec.domains[label] if spec.domains else str(label) for label in labels)
    return dense.astype(np.int64), replace(spec, domains=names)


def check_split(
    split: npt.NDArray[Any], domain: npt.NDArray[np.int64], spec: DatasetSpec, where: str
) -> None:
    """Check that every split has enough images.

    Args:
        split: ``(N,)`` uint8, index into ``SPLITS``.
        domain: ``(N,)`` dense domains.
        spec: Names the domains.
        where: Names the splits.

    Raises:
        UserError: If a value is not a split, a split is empty, or a domain has too few training images.
    """
    if split.shape != domain.shape or split.dtype != np.uint8:
        raise UserError(f"{where}: {_received(split)}; expected uint8 of shape {domain.shape}")
    _refuse(split >= len(SPLITS), split, where, f"expected 0..{len(SPLITS) - 1} for {', '.join(SPLITS)}")
    for name, n_images in zip(SPLITS, np.bincount(split, minlength=len(SPLITS)), strict=True):
        if n_images == 0:
            raise UserError(
                f"{where}: none of the {len(split)} images is left for {name}; "
                "add images, so that more domains have at least 3"
            )
    n_train = np.bincount(domain[split == SPLITS.index("train")], minlength=len(spec.domains))
    if n_train.min() < 2:
        raise UserError(
            f"{where}: {spec.domain} {spec.domains[n_train.argmin()]} has "
            f"{counted(int(n_train.min()), 'training image')}; contrastive training needs at least 2 of "
            "every domain"
        )


def _whole_numbers(values: npt.NDArray[Any], n_images: int, where: str) -> npt.NDArray[np.int64]:
    if values.shape != (n_images,) or values.dtype.kind not in "iuf":
        raise UserError(f"{where}: {_received(values)}; expected whole numbers of shape ({n_images},)")
    wrong = ~np.isfinite(values) | (values < 0) | (values != np.floor(values))
    _refuse(wrong, values, where, "expected a whole number from 0")
    return values.astype(np.int64)


def _refuse(wrong: npt.NDArray[np.bool_], values: npt.NDArray[Any], where: str, expected: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise UserError(f"{where}: {values[row]} in row {row}; {expected}")


def _received(values: npt.NDArray[Any]) -> str:
    return f"{values.dtype} of shape {values.shape}"
