"""Safe access to datasets of an HDF5 file: only values stored in the file itself are read."""

from typing import Any

import h5py


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
