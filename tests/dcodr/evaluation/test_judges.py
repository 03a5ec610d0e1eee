"""Judges of several kinds, on codes whose structure only some of them can read."""

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor
from torch.nn import functional as F

from dcodr.data.dataset import Attribute, DatasetSpec
from dcodr.evaluation.judges import JUDGES, Verdicts, ask_all, ask_neighbours, ask_trees, verdicts
from dcodr.evaluation.report import EncodedSplit

N_CLASSES = {"domain": 2, "pose": 4, "size": None}
SPEC = DatasetSpec(
    name="made",
    domain="domain",
    domains=("a", "b"),
    attributes=(Attribute("pose", 4), Attribute("size", None)),
)


def factors_and_codes(n: int, seed: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Make codes that hold the pose and the size linearly, and the domain as the parity of two signs."""
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(2, (n, 2), generator=generator)
    pose = torch.randint(4, (n,), generator=generator)
    size = torch.randn(n, 1, generator=generator)
    noise = 0.1 * torch.randn(n, 7, generator=generator)
    codes = torch.cat([2.0 * signs - 1, F.one_hot(pose, 4), size], dim=1) + noise
    return codes, {"domain": signs.sum(dim=1) % 2, "pose": pose, "size": size}


def encoded(n: int = 600) -> EncodedSplit:
    train, known = factors_and_codes(n, seed=0)
    scored, actual = factors_and_codes(300, seed=1)
    return EncodedSplit(train, scored, known, actual, N_CLASSES, "validation", SPEC)


@pytest.fixture(scope="module")
def found() -> Verdicts:
    """Verdicts of all judges on the same codes."""
    split = encoded()
    return verdicts(split, ask_all(split, seed=0))


def test_only_a_linear_judge_misses_a_parity_and_all_read_what_is_linear(found: Verdicts) -> None:
    for name in JUDGES:
        assert found.metrics[name]["accuracy/pose"] > 0.9, name
        domain = found.metrics[name]["domain_accuracy"]
        assert domain < 0.65 if name == "linear" else domain > 0.9, name


def test_the_strongest_judge_of_each_factor_is_the_one_with_the_best_metric(found: Verdicts) -> None:
    accuracy = {name: metrics["domain_accuracy"] for name, metrics in found.metrics.items()}
    errors = {name: metrics["error/size"] for name, metrics in found.metrics.items()}
    assert accuracy[found.strongest["domain"]] == max(accuracy.values())
    assert errors[found.strongest["size"]] == min(errors.values())
    assert found.strongest_metrics["domain_accuracy"] == max(accuracy.values())
    assert found.strongest_metrics["error/size"] == min(errors.values())
    # Invariance by the strongest judge is the lowest, informativeness the highest.
    assert found.summary["invariance/strongest"] == min(
        metrics["invariance"] for metrics in found.metrics.values()
    )
    assert found.summary["informativeness/strongest"] >= max(
        metrics["informativeness"] for metrics in found.metrics.values()
    )


@pytest.mark.parametrize("k", [1, 5, 15])
def test_neighbours_answer_as_scikit_learn_by_cosine_distance(k: int) -> None:
    split = encoded()
    peer = KNeighborsClassifier(k, metric="cosine", algorithm="brute")
    peer.fit(split.train_codes.numpy(), split.train_factors["pose"].numpy())
    expected = torch.from_numpy(peer.predict(split.codes.numpy()))
    assert torch.equal(ask_neighbours(k, split, 0)["pose"][0], expected)


def test_neighbours_answer_the_mean_of_continuous_values() -> None:
    split = encoded(40)
    similarity = F.normalize(split.codes, dim=1) @ F.normalize(split.train_codes, dim=1).T
    nearest = similarity.argsort(dim=1, descending=True)[:, :5]
    expected = torch.stack([split.train_factors["size"][row].mean(dim=0) for row in nearest])
    torch.testing.assert_close(ask_neighbours(5, split, 0)["size"][0], expected)


def test_trees_keep_the_form_of_labels_and_follow_the_seed() -> None:
    split = encoded(200)
    first, again = (ask_trees(split, seed=2**63 - 1) for _ in range(2))
    for name, actual in split.factors.items():
        assert first[name].shape == (1, *actual.shape)
        assert first[name].dtype == actual.dtype
        assert torch.equal(first[name], again[name])


def test_every_judge_is_announced_before_it_is_asked() -> None:
    named: list[str] = []
    ask_all(encoded(60), seed=0, on_judge=named.append)
    assert named == list(JUDGES)
