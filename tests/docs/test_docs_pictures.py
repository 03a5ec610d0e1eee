"""The pictures of docs/concepts.md that need no training."""

import re
from pathlib import Path

import numpy as np
import pytest

from dcodr.augmentations.names import AUGMENTATIONS
from dcodr.data.dataset import FactorDataset
from docs.pictures import draw_augmentations, draw_batch, draw_front, draw_probes, measured_systems

CONCEPTS = Path(__file__).parents[2] / "docs" / "concepts.md"


def test_there_is_a_view_by_each_of_the_thirteen_and_all_differ(tiny: FactorDataset) -> None:
    figure = draw_augmentations(tiny, int(tiny.indices("train")[0]))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["the image", *(name for name in AUGMENTATIONS if name != "simsiam")]
    original, *views = (np.asarray(axes.images[0].get_array()) for axes in figure.axes)
    assert all(np.abs(view - original / 255).max() > 0.05 for view in views)


def test_negatives_have_the_anchors_domain_and_all_others_have_not(tiny: FactorDataset) -> None:
    domain_of = {image.tobytes(): domain for image, domain in zip(tiny.images, tiny.domain, strict=True)}
    shown = {
        (axes.get_title(), domain_of.get(np.asarray(axes.images[0].get_array()).tobytes()))
        for axes in draw_batch(tiny).axes
        if axes.images
    }
    domains = {kind: {domain for title, domain in shown if title == kind} for kind, _ in shown}
    assert domains["negative"] == domains["anchor"]
    assert not domains["no part"] & domains["anchor"]


def test_the_area_in_the_picture_is_the_share_of_the_square_that_the_front_dominates() -> None:
    (axes,) = draw_front().axes
    front = np.asarray(axes.collections[2].get_offsets())
    points = np.random.default_rng(0).random((20_000, 2))
    dominated = np.all(points[:, None] <= front, axis=2).any(axis=1)
    label = str(axes.collections[0].get_label())
    assert float(label.removeprefix("hypervolume: ")) == pytest.approx(dominated.mean(), abs=0.01)


def test_the_probes_are_summed_up_as_the_definitions_say() -> None:
    (axes,) = draw_probes().axes
    labels = [str(points.get_label()) for points in axes.collections[:2]]
    invariance = [1 - (0.878 - 0.005) / 0.995, 1 - (0.105 - 0.005) / 0.995]
    assert [float(label.split()[2].strip(",")) for label in labels] == pytest.approx(invariance, abs=0.005)
    simclr = ((0.846 - 0.029) / 0.971 + (0.885 - 0.224) / 0.776) / 2  # pose, which is both, is not counted
    assert float(labels[0].split()[4]) == pytest.approx(simclr, abs=0.005)


def test_the_text_beside_the_probes_has_the_measured_accuracies() -> None:
    measured = dict(measured_systems())
    (told,) = re.findall(
        r"names the right car for (\d+) % of the images, from those of\s+DCoDR-norec for (\d+) %",
        CONCEPTS.read_text(),
    )
    assert list(told) == [f"{100 * measured[system]['domain']:.0f}" for system in ("simclr", "dcodr_norec")]
