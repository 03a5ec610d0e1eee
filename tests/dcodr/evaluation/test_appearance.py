"""Appearance of images within their domain, compared with a naive computation and closed forms."""

import numpy as np
import pytest
import torch
from torch import Tensor

from dcodr.evaluation.appearance import COMPONENTS, GRID, appearance, thumbnails

CPU = torch.device("cpu")


def random_domains(n: int, n_domains: int) -> Tensor:
    return torch.arange(n) % n_domains


def noise(n: int, d: int, seed: int = 0) -> Tensor:
    scales = 0.9 ** torch.arange(d)
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) * scales


def naive(train: Tensor, scored: Tensor, train_domain: Tensor, domain: Tensor) -> tuple[np.ndarray, ...]:
    """Image by image, with NumPy's singular value decomposition."""
    pixels, of = train.double().numpy(), train_domain.numpy()
    means = {k: pixels[of == k].mean(axis=0) for k in set(of.tolist())}
    within = np.stack([image - means[k] for image, k in zip(pixels, of.tolist(), strict=True)])
    _, singular, directions = np.linalg.svd(within, full_matrices=False)
    others = [image - means[k] for image, k in zip(scored.double().numpy(), domain.tolist(), strict=True)]
    found = []
    for images in (within, np.stack(others)):
        columns = [
            images @ directions[k] / (singular[k] / np.sqrt(len(within)))
            for k in range(min(COMPONENTS, len(singular)))
        ]
        found.append(np.stack(columns, axis=1))
    return tuple(found)


@pytest.mark.parametrize("d", [5, 50])
def test_components_are_those_of_a_naive_computation_up_to_their_signs(d: int) -> None:
    train, scored = noise(300, d), noise(40, d, seed=1)
    domains = random_domains(300, 3), random_domains(40, 3)
    for ours, expected in zip(
        appearance(train, scored, *domains), naive(train, scored, *domains), strict=True
    ):
        signs = np.sign((ours.numpy() * expected).sum(axis=0))
        np.testing.assert_allclose(ours.numpy() * signs, expected, atol=1e-3)


def test_every_dimension_has_variance_one_and_mean_zero_in_every_domain() -> None:
    domain = random_domains(400, 4)
    train = noise(400, 20) + 5 * domain[:, None]
    told, _ = appearance(train, train, domain, domain)
    for k in range(4):
        torch.testing.assert_close(told[domain == k].mean(dim=0), torch.zeros(20), atol=1e-4, rtol=0)
    torch.testing.assert_close(told.square().mean(dim=0), torch.ones(20), atol=1e-4, rtol=0)
    torch.testing.assert_close(told.T @ told / 400, torch.eye(20), atol=1e-3, rtol=0)


def test_what_domains_look_like_changes_nothing() -> None:
    train, scored = noise(200, 10), noise(30, 10, seed=1)
    domains = random_domains(200, 5), random_domains(30, 5)
    looks = noise(5, 10, seed=2)
    plain = appearance(train, scored, *domains)
    other = appearance(train + looks[domains[0]], scored + looks[domains[1]], *domains)
    for before, after in zip(plain, other, strict=True):
        signs = (before * after).sum(dim=0).sign()
        torch.testing.assert_close(before, after * signs, atol=1e-3, rtol=0)


def test_directions_without_variance_are_left_out() -> None:
    train = noise(100, 3) @ noise(3, 12, seed=1)
    told, scored = appearance(train, train[:7], random_domains(100, 2), random_domains(7, 2))
    assert told.shape == (100, 3)
    assert scored.shape == (7, 3)


def test_images_that_are_all_the_same_have_one_constant_dimension() -> None:
    train = torch.full((10, 12), 0.3)
    told, scored = appearance(train, train[:4], random_domains(10, 2), random_domains(4, 2))
    assert told.shape == (10, 1)
    assert scored.isfinite().all()
    assert told.abs().max() < 1e-3


def test_a_thumbnail_is_the_mean_of_each_cell() -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3), dtype=np.uint8)
    indices = np.array([7, 0, 3, 8, 2])
    side = 64 // GRID
    cells = images[indices].reshape(5, GRID, side, GRID, side, 3).mean(axis=(2, 4)) / 255
    expected = cells.transpose(0, 3, 1, 2).reshape(5, -1)
    for batch_size in (2, 512):
        np.testing.assert_allclose(thumbnails(images, indices, CPU, batch_size), expected, atol=1e-6)
