"""Settings in words."""

from dcodr.augmentations.names import AUGMENTATIONS
from tuning.space.words import in_words, label, value_text


def test_a_trial_in_one_line() -> None:
    values = {
        "augmentations": ("horizontal_flip", "low_brightness"),
        "temperature": 0.1416,
        "batch.n_domains": 4,
    }
    assert label(values) == "flip + low brightness, temperature 0.142, n domains 4"
    assert label({"augmentations": ()}) == "none"
    assert value_text(("mine.package:blur_more", "crop")) == "blur more + crop"


def test_no_two_augmentations_have_the_same_words() -> None:
    assert len({in_words(name) for name in AUGMENTATIONS}) == len(AUGMENTATIONS)
