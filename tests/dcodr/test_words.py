"""Numbers in sentences."""

import pytest

from dcodr.words import counted


@pytest.mark.parametrize(
    ("n", "words", "expected"),
    [
        (0, ("trial",), "0 trials"),
        (1, ("trial",), "1 trial"),
        (2, ("trial",), "2 trials"),
        (1200, ("complete trial",), "1,200 complete trials"),
        (1, ("class", "classes"), "1 class"),
        (3, ("class", "classes"), "3 classes"),
        (1, ("trial has", "trials have"), "1 trial has"),
    ],
)
def test_one_of_something_is_not_many(n: int, words: tuple[str, ...], expected: str) -> None:
    assert counted(n, *words) == expected
