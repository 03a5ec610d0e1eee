"""What is taken from an HDF5 file: datasets whose values lie in the file itself."""

from typing import Any

import h5py


def own_dataset(file: Any, name: str) -> Any:
    """A dataset that lies in the file itself.

    HDF5 can also put a dataset, or its values, into any other file: behind a soft or external link, in
    external storage, or as a virtual dataset. Such a one does not count.

    Args:
        file: An open ``h5py.File``.
        name: Path of the dataset within it.

    Returns:
        The ``h5py.Dataset``; ``None`` if there is none.
    """
    node = file
    for part in name.split("/"):
        if not isinstance(node, h5py.Group) or not isinstance(node.get(part, getlink=True), h5py.HardLink):
            return None
        node = node.get(part)
    own = isinstance(node, h5py.Dataset) and node.external is None and not node.is_virtual
    return node if own else None
