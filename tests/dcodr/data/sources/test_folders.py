"""Images in folders of domains, without a CSV file: torchvision's ImageFolder layout."""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dcodr.data.sources.folder import read_folders
from dcodr.data.sources.labelled import Options
from dcodr.errors import UserError

SMALL = Options(image_size=16)


def write(root: Path, names: list[str]) -> Path:
    for index, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), (index, 0, 0)).save(root / name)
    return root


def test_each_folder_is_a_domain(tmp_path: Path) -> None:
    names = ["cup/0.png", "cup/sub/1.JPG", "bowl/0.png", "bowl/1.png", "train/0.png", "train/1.png"]
    raw = read_folders(write(tmp_path, names), "dishes", SMALL, warn=pytest.fail)
    assert (raw.spec.domains, raw.spec.attributes, raw.split) == (("bowl", "cup", "train"), (), None)
    assert raw.domain.tolist() == [0, 0, 1, 1, 2, 2]
    reds = np.concatenate(list(raw.images))[:, 8, 8, 0]
    np.testing.assert_allclose(reds, [2, 3, 0, 1, 4, 5], atol=1)


def test_folders_of_splits_hold_the_domains(tmp_path: Path) -> None:
    names = [
        f"{split}/{domain}/{i}.png" for split in ("train", "val", "test") for domain in "ab" for i in (0, 1)
    ]
    raw = read_folders(write(tmp_path, names), "dishes", SMALL, warn=pytest.fail)
    assert raw.spec.domains == ("a", "b")
    assert raw.split is not None
    # Sorted by path: test, train, val.
    assert raw.split.tolist() == [2] * 4 + [0] * 4 + [1] * 4
    assert raw.domain.tolist() == [0, 0, 1, 1] * 3


def test_one_folder_more_makes_them_domains(tmp_path: Path) -> None:
    names = [f"{domain}/{i}.png" for domain in ("train", "test", "boat") for i in (0, 1)]
    raw = read_folders(write(tmp_path, names), "toys", SMALL, warn=pytest.fail)
    assert (raw.spec.domains, raw.split) == (("boat", "test", "train"), None)


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    write(tmp_path, ["a/0.png", "a/1.png", "b/0.png", "b/1.png", "cover.png", ".thumbs/x.png", "a/.y.png"])
    (tmp_path / "a" / "notes.txt").write_text("")
    said: list[str] = []
    raw = read_folders(tmp_path, "n", SMALL, warn=said.append)
    assert len(raw.domain) == 4
    assert said == [
        f"{tmp_path}: 1 image in no domain's folder left out, e.g. cover.png",
        f"{tmp_path}: 1 file of other kinds left out, e.g. a/notes.txt",
    ]


def test_what_is_no_folder_of_domains_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none is not a folder"):
        read_folders(tmp_path / "none", "n", warn=pytest.fail)
    write(tmp_path / "flat", ["0.png", "1.png"])
    with pytest.raises(
        UserError, match=r"flat: no images in folders of domains, as in .*flat/DOMAIN/\*\.jpg"
    ):
        read_folders(tmp_path / "flat", "n", warn=pytest.fail)
    write(tmp_path / "one", ["a/0.png", "a/1.png"])
    with pytest.raises(UserError, match=r"all rows have the domain a; at least 2"):
        read_folders(tmp_path / "one", "n", warn=pytest.fail)


def test_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path / "photos", ["a/0.png", "a/1.png", "b/0.png", "b/1.png"])
    (root / "b").rename(root / os.fsdecode(b"caf\xe9"))
    with pytest.raises(UserError, match=r"photos: paths that are not UTF-8: 2, e\.g\. caf\ufffd/0\.png"):
        read_folders(root, "n", warn=pytest.fail)


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run as root, who can read any folder, so the system's answer is replaced."""
    root = write(tmp_path / "photos", [f"{domain}/{i}.png" for domain in "abc" for i in range(2)])
    scandir = os.scandir

    def refusing(path: Any = ".") -> Any:
        if str(path).endswith(refused):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    refused = "photos/c"
    with pytest.raises(UserError, match="photos/c cannot be read: Permission denied"):
        read_folders(root, "n", warn=pytest.fail)
    refused = "photos"
    with pytest.raises(UserError, match="photos cannot be read: Permission denied"):
        read_folders(root, "n", warn=pytest.fail)


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path / "photos", ["a/0.png", "a/1.png", "b/0.png", "b/1.png"])
    write(tmp_path / "elsewhere", ["0.png", "1.png"])
    (root / "a" / "2.png").symlink_to(tmp_path / "elsewhere" / "0.png")
    with pytest.raises(UserError, match=r"a/2\.png, column path: .* because a/2\.png is a link"):
        read_folders(root, "n", warn=pytest.fail)
    (root / "a" / "2.png").unlink()
    (root / "c").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"photos/c is a link; links to folders are not followed"):
        read_folders(root, "n", warn=pytest.fail)
