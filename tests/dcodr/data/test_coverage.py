"""Coverage of splits, compared with the outcomes on which probes are scored."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dcodr.data.coverage import coverage_warnings, trivial_factors
from dcodr.data.dataset import SPLITS, Attribute, DatasetSpec, FactorDataset
from dcodr.evaluation.metrics import categorical_outcome, continuous_outcome

LABELS = st.lists(st.tuples(*[st.integers(0, 1)] * 3, st.sampled_from([0.0, 0.5])), min_size=3, max_size=12)


@pytest.fixture(autouse=True)
def few_images_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of a few images would be warned of all factors."""
    monkeypatch.setattr("dcodr.data.coverage.FEWEST", 1)


def dataset(rows: list[tuple[int, int, int, float]], split: list[int]) -> FactorDataset:
    """Images of a domain, two categorical attributes and a continuous one."""
    domain, hue, pose, light = (np.array(column) for column in zip(*rows, strict=True))
    attributes = (
        Attribute("hue", 2, classes=("red", "blue")),
        Attribute("pose", 2),
        Attribute("light", None),
    )
    return FactorDataset(
        spec=DatasetSpec("tiny", "object", attributes),
        images=np.zeros((len(rows), 2, 2, 3), np.uint8),
        domain=domain,
        attributes={"hue": hue, "pose": pose, "light": light.astype(np.float32)[:, None]},
        split=np.array(split, dtype=np.uint8),
        fingerprint="0" * 64,
    )


@settings(max_examples=50)
@given(LABELS)
def test_trivial_factors_are_those_that_a_constant_answer_knows(
    rows: list[tuple[int, int, int, float]],
) -> None:
    data = dataset(rows, [index % 3 for index in range(len(rows))])
    train = data.indices("train")
    for split in SPLITS[1:]:
        scored = data.indices(split)
        expected = []
        for name, labels in {"domain": data.domain, **data.attributes}.items():
            outcome = categorical_outcome if labels.ndim == 1 else continuous_outcome
            actual, training = torch.from_numpy(labels[scored]), torch.from_numpy(labels[train])
            if outcome(actual[None], actual, training).trivial:
                expected.append(name)
        assert list(trivial_factors(data, split)) == expected


def test_a_warning_names_factor_class_and_images_in_each_split() -> None:
    rows = [(index % 2, int(index == 0), index // 2 % 2, index / 8) for index in range(24)]
    data = dataset(rows, [0] * 12 + [1] * 6 + [2] * 6)
    (warning,) = coverage_warnings(data)
    assert warning.startswith(
        "hue: class blue has 1 train, 0 validation and 0 test images; a constant answer"
    )
    assert "every validation and test image" in warning


def test_labels_that_every_split_has_are_not_warned_of() -> None:
    rows = [(index % 2, index // 2 % 2, index // 4 % 2, index / 8) for index in range(24)]
    assert coverage_warnings(dataset(rows, [0] * 8 + [1] * 8 + [2] * 8)) == []


def test_a_constant_continuous_attribute_is_warned_of() -> None:
    rows = [
        (index % 2, index // 2 % 2, index // 4 % 2, 0.5 if index < 16 else index / 8) for index in range(24)
    ]
    (warning,) = coverage_warnings(dataset(rows, [0] * 8 + [1] * 8 + [2] * 8))
    assert warning.startswith("light: a constant answer is right for every validation image")


def test_a_skill_that_rests_on_few_images_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcodr.data.coverage.FEWEST", 3)
    rows = [(index % 2, int(index in (3, 10, 17, 18, 20)), index // 2 % 2, index / 8) for index in range(24)]
    (warning,) = coverage_warnings(dataset(rows, [0] * 8 + [1] * 8 + [2] * 8))
    assert warning.startswith("hue: a constant answer is wrong for only 1 validation image,")
    assert "test" not in warning


def test_of_many_rare_classes_the_rarest_are_named() -> None:
    pose = np.repeat(np.arange(8), [1, 2, 3, 4, 5, 6, 7, 8])
    split = np.zeros(len(pose), np.uint8)
    split[-4:] = 1, 1, 2, 2
    domain = np.arange(len(pose)) % 2
    spec = DatasetSpec("tiny", "object", (Attribute("pose", 9),))
    images = np.zeros((len(pose), 2, 2, 3), np.uint8)
    (warning,) = coverage_warnings(FactorDataset(spec, images, domain, {"pose": pose}, split, "0" * 64))
    assert "class 0 has 1 train, 0 validation and 0 test images; class 1 has 2" in warning
    assert "class 2 has 3" in warning
    assert "4 more classes have none in some split" in warning
    assert "class 8" not in warning
