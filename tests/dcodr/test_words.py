"""Numbers and options in sentences."""

from pathlib import Path
from typing import Any

import pytest

from dcodr.words import counted, for_a_shell, once_more, option


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


@pytest.mark.parametrize(
    ("words", "shell", "python"),
    [
        (("name", "my demo"), "--name 'my demo'", "name='my demo'"),
        (("storage", Path("runs")), "--storage runs", "storage='runs'"),
        (("image-size", 64), "--image-size 64", "image_size=64"),
        (("resume", True), "--resume", "resume=True"),
        (("top", 3), "--top 3", "top=3"),
        (("tracking-uri",), "--tracking-uri", "tracking_uri=..."),
        (("pick", "top", "which"), "--pick top", "which='top'"),
    ],
)
def test_an_option_is_named_as_the_reader_can_give_it(words: Any, shell: str, python: str) -> None:
    assert option(*words) == python
    with for_a_shell():
        assert option(*words) == shell
    assert option(*words) == python


def test_the_same_once_more() -> None:
    assert once_more(name="a", resume=True) == "make the same call again with name='a', resume=True"
    with for_a_shell():
        assert once_more(name="a", resume=True) == "run the same command again with --name a --resume"
