"""Commands of Python as a page has them, run in this process: importing PyTorch and Ray takes seconds."""

import runpy
import shlex
import sys
from pathlib import Path

import pytest


def run_python(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run ``python FILE ...`` or ``python -m MODULE ...`` in a folder.

    File names are expanded, and comments left out, as a shell does.

    Raises:
        SystemExit: If it ends with another code than 0.
    """
    monkeypatch.chdir(folder)
    python, *words = shlex.split(command, comments=True)
    assert python == "python"
    words = [
        name for word in words for name in (sorted(map(str, folder.glob(word))) if "*" in word else [word])
    ]
    is_module = words[0] == "-m"
    monkeypatch.setattr(sys, "argv", words[1:] if is_module else words)
    try:
        if is_module:
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
