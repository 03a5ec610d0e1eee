"""Numbers and options in sentences."""

import ast
import re
from collections.abc import Iterator
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


ROOT = Path(__file__).parents[2]
FOR_A_SHELL = {
    "dcodr/console.py": "the command line itself",
    "tuning/report/commands.py": "commands",
    "tuning/report/facts.py": "the page has the command beside it",
    "tuning/space/given.py": "a text of the option --set",
    "tuning/space/space.py": "an end of commands",
    "tuning/tracking/doctor.py": "a command",
    "tuning/ui/server.py": "a command",
}
"""Files that name options of the command line, and the reason, beside those of commands."""
READERS = ("for_reader", "option", "once_more")


def texts(node: ast.AST) -> Iterator[str]:
    """Yield the texts of a module, except docstrings and those that are chosen for the reader."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in READERS:
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    if not isinstance(node, ast.JoinedStr):
        for below in ast.iter_child_nodes(node):
            if not (isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)):
                yield from texts(below)


def test_messages_of_the_library_name_no_options_of_the_command_line() -> None:
    named = set()
    for path in sorted([*ROOT.glob("dcodr/**/*.py"), *ROOT.glob("tuning/**/*.py")]):
        if path.stem.endswith(("cli", "_command")) or path.parent.name in ("embeddings", "export"):
            continue
        for text in texts(ast.parse(path.read_text())):
            if re.search(r"(?<![\w-])--[a-z]", text) and not re.search("^--\\S+$|python -m|mlflow ", text):
                named.add(str(path.relative_to(ROOT)))
    assert named == set(FOR_A_SHELL)
