"""The fast parts against the plain ones that the benchmarks compare them with, and the table itself."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from benchmarks.measure import Row, times_better
from benchmarks.reference.losses import contrastive_loss
from benchmarks.reference.perceptual import PerceptualDistance as PlainDistance
from benchmarks.reference.retrieval import nearest_neighbours as plain_neighbours
from benchmarks.reference.views import TRANSFORMS, views
from benchmarks.table import ROWS, table
from dcodr.augmentations.names import AUGMENTATIONS
from dcodr.evaluation.retrieval import nearest_neighbours
from dcodr.losses.contrastive import DomainContrastiveLoss
from dcodr.models.perceptual import DEFAULT_LAYERS, PerceptualDistance, backbone_features
from tests.docs.commands import run_python

ROOT = Path(__file__).parents[2]


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_contrastive_loss_of_a_batch_equals_the_plain_one() -> None:
    anchors, positives = (F.normalize(random(128, 128, seed=i), dim=1).requires_grad_() for i in (0, 1))
    ours = DomainContrastiveLoss(0.2, 4)(anchors, positives)
    theirs = contrastive_loss(anchors, positives, 0.2, 4)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    pairs = zip(
        torch.autograd.grad(ours, (anchors, positives)),
        torch.autograd.grad(theirs, (anchors, positives)),
        strict=True,
    )
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_perceptual_distance_equals_the_plain_one() -> None:
    features = backbone_features("vgg16", max(DEFAULT_LAYERS["vgg16"]))
    distance = PerceptualDistance(features, DEFAULT_LAYERS["vgg16"], normalise=False)
    plain = PlainDistance(features.requires_grad_(), DEFAULT_LAYERS["vgg16"])
    output, target = random(1, 3, 32, 32).sigmoid().requires_grad_(), random(1, 3, 32, 32, seed=1).sigmoid()
    ours, theirs = distance(output, target), plain(output, target)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    one, other = (torch.autograd.grad(value, output)[0] for value in (ours, theirs))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_neighbours_equal_the_plain_ones() -> None:
    codes = F.normalize(random(300, 32), dim=1)
    queries = torch.arange(250, 290)
    assert torch.equal(nearest_neighbours(codes, queries, 5), plain_neighbours(codes, queries, 5))


def test_every_augmentation_has_a_plain_version() -> None:
    assert set(TRANSFORMS) == set(AUGMENTATIONS)
    made = views(np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8), AUGMENTATIONS)
    assert made.shape == (3, 3, 64, 64)
    assert made.min() >= 0
    assert made.max() <= 1


def test_the_table_says_what_was_met() -> None:
    rows = [times_better("fast", 2.0, 1.0, 1.5), Row("slow", "1 s", "1 s", None, "<= 0.5 s", False)]
    assert table(rows).splitlines()[2:] == [
        "| fast | 2 s | 1 s | 2.00 | >= 1.5x | yes |",
        "| slow | 1 s | 1 s |  | <= 0.5 s | **no** |",
    ]


@pytest.mark.long
def test_one_work_alone_is_measured_from_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_python("python -m benchmarks.table --only contrastive --threads 1", ROOT, monkeypatch)
    assert "contrastive loss" in capsys.readouterr().out
    assert "contrastive" in ROWS


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_the_gpu_table_refuses_without_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_python("python -m benchmarks.gpu", ROOT, monkeypatch)
    assert ended.value.code == 2
    assert "no usable GPU" in capsys.readouterr().err
