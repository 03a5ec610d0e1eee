"""Tests of ``dcodr.data.sources.celeba``: on small files laid out as the published ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dcodr.config import PRESETS
from dcodr.data.prepare import prepare
from dcodr.data.sources.celeba import read_celeba
from dcodr.data.store import open_store
from dcodr.errors import UserError
from dcodr.training.sampler import DomainBatchSampler

POINTS = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
HEADER = " ".join(f"{point}_x {point}_y" for point in POINTS)


def write(folder: Path, sizes: dict[int, int], draw: Callable[[int], Image.Image] | None = None) -> Path:
    """People of so many images, in the published layout; the people take turns in the list."""
    (folder / "img_align_celeba").mkdir(parents=True)
    person = np.random.default_rng(0).permutation(np.repeat(list(sizes), list(sizes.values())))
    identities, landmarks = [], [str(len(person)), HEADER + " "]
    for index, number in enumerate(person, start=1):
        name = f"{index:06d}.jpg"
        image = draw(index) if draw else Image.new("RGB", (178, 218), (int(number), 0, 0))
        image.save(folder / "img_align_celeba" / name, quality=95)
        identities.append(f"{name} {number}")
        landmarks.append(f"{name}  {index % 178}  109  106  113   77  142   73  152  108  154")
    (folder / "identity_CelebA.txt").write_text("\n".join(identities) + "\n")
    (folder / "list_landmarks_align_celeba.txt").write_text("\n".join(landmarks) + "\n")
    return folder


def test_labels_belong_to_their_images(tmp_path: Path) -> None:
    _, chunks, person, attributes, _, split, _ = read_celeba(write(tmp_path, {200: 30, 40: 26, 120: 3}))
    images = np.concatenate(list(chunks))
    assert images.shape == (56, 64, 64, 3)
    assert set(person) == {40, 200}
    np.testing.assert_allclose(images[:, 30, 30, 0], person, atol=3)
    assert attributes["landmarks"].shape == (56, 10)
    assert split is not None
    assert split.shape == (56,)


def test_landmarks_are_where_they_were_in_the_picture(tmp_path: Path) -> None:
    def dot_at_the_nose(_: int) -> Image.Image:
        image = Image.new("RGB", (178, 218))
        ImageDraw.Draw(image).rectangle((77 - 4, 142 - 4, 77 + 3, 142 + 3), fill="white")
        return image

    _, chunks, _, attributes, *_ = read_celeba(write(tmp_path, {1: 30, 2: 30}, dot_at_the_nose))
    image = next(iter(chunks))[0, :, :, 0].astype(float)
    rows, columns = np.indices(image.shape) + 0.5
    centre = (columns * image).sum() / image.sum(), (rows * image).sum() / image.sum()
    np.testing.assert_allclose(attributes["landmarks"][0, 4:6], centre, atol=0.1)


def test_people_with_fewer_than_twenty_training_images_are_left_out(tmp_path: Path) -> None:
    sizes = {number: number for number in range(1, 32)}
    _, _, person, _, _, split, _ = read_celeba(write(tmp_path, sizes, lambda _: Image.new("RGB", (1, 1))))
    assert split is not None
    kept, counts = np.unique(person, return_counts=True)
    np.testing.assert_array_equal(kept, counts)
    assert kept.max() == 31
    for number in kept:
        n_train, n_validation, n_test = np.bincount(split[person == number], minlength=3)
        assert n_train >= 20
        assert min(n_validation, n_test) >= 2
    assert set(range(27, 32)) <= set(kept)
    assert not set(range(24)) & set(kept)


def test_it_is_prepared_and_the_preset_can_train_on_it(tmp_path: Path) -> None:
    write(tmp_path, dict.fromkeys(range(1, 11), 26))
    calls: list[tuple[int, int]] = []
    prepare(
        tmp_path / "c.h5", read_celeba(tmp_path, on_progress=lambda done, total: calls.append((done, total)))
    )
    data = open_store(tmp_path / "c.h5")
    assert calls == [(260, 260)]
    assert data.spec.domains == tuple(map(str, range(1, 11)))
    batch = PRESETS["celeba"].batch
    training = data.domain[data.indices("train")]
    assert np.bincount(training).min() == 20
    sampler = DomainBatchSampler(training, batch.n_domains, batch.n_per_domain, seed=0)
    assert all(len(drawn) == 120 for drawn in sampler)


def test_nobody_with_enough_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"identity_CelebA\.txt: no person has 20 training images"):
        read_celeba(write(tmp_path, {1: 12, 2: 12}))


@pytest.mark.parametrize("name", ["identity_CelebA.txt", "list_landmarks_align_celeba.txt"])
def test_a_missing_list_is_named(tmp_path: Path, name: str) -> None:
    (write(tmp_path, {1: 3, 2: 3}) / name).unlink()
    with pytest.raises(UserError, match=rf"{name} cannot be read"):
        read_celeba(tmp_path)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("identity_CelebA.txt", lambda lines: [*lines[:4], "000005.jpg"], r"line 5: '000005\.jpg'"),
        ("identity_CelebA.txt", lambda lines: ["000001.jpg x"], r"line 1: '000001\.jpg x'"),
        ("identity_CelebA.txt", lambda lines: ["../a.jpg 1"], r"line 1: '\.\./a\.jpg 1'; expected a name"),
        ("identity_CelebA.txt", lambda lines: [""], "line 1: ''"),
        ("list_landmarks_align_celeba.txt", lambda lines: lines[:-1], "announces '60' images, 59 follow"),
        ("list_landmarks_align_celeba.txt", lambda lines: ["1", "x y", "000001.jpg 1 2"], "line 2: expected"),
        (
            "list_landmarks_align_celeba.txt",
            lambda lines: [*lines[:2], "000001.jpg 1 2"],
            r"line 3: '000001\.jpg 1 2'; .*10",
        ),
        (
            "list_landmarks_align_celeba.txt",
            lambda lines: ["59", *lines[1:-1]],
            r"has no line for 000060\.jpg",
        ),
    ],
)
def test_a_list_that_is_not_as_published_is_refused(
    tmp_path: Path, name: str, change: Callable[[list[str]], list[str]], message: str
) -> None:
    path = write(tmp_path, {1: 30, 2: 30}) / name
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    with pytest.raises(UserError, match=rf"{name}.*{message}"):
        read_celeba(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"000007\.jpg cannot be read as a JPEG image"),
        (b"hello", r"000007\.jpg cannot be read as a JPEG image"),
        (Image.new("RGB", (178, 178)), r"000007\.jpg is 178 x 178 pixels; expected 178 x 218"),
    ],
)
def test_an_image_that_is_not_as_published_is_refused(
    tmp_path: Path, content: bytes | Image.Image | None, message: str
) -> None:
    path = write(tmp_path, {1: 30, 2: 30}) / "img_align_celeba" / "000007.jpg"
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        content.save(path)
    with pytest.raises(UserError, match=message):
        list(read_celeba(tmp_path).images)
