"""What MLflow is told of a trial."""

from dcodr.config import PRESETS
from tuning.recorder import readable


def test_a_method_without_augmentations_shows_none() -> None:
    paper = PRESETS["paper"]
    shown = readable(paper, {"temperature": 0.1})
    assert shown["augmentations"] == "crop+high_contrast+high_saturation+gaussian_blur"
    assert (shown["augmentation.crop"], shown["augmentation.affine"]) == (True, False)
    lord = readable(paper.model_copy(update={"method": "lord"}), {"lord.noise": 0.5})
    assert lord == {"epochs": 200, "seed": 0, "lord.noise": 0.5}
