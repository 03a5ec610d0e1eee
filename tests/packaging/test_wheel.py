"""The package as it is installed: what is inside, and that it finds it without the clone."""

import configparser
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling import build

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the wheel has, as it lies among the packages of an environment."""
    folder, here = tmp_path_factory.mktemp("wheel"), Path.cwd()
    os.chdir(ROOT)
    try:
        name = build.build_wheel(str(folder))
    finally:
        os.chdir(here)
    with zipfile.ZipFile(folder / name) as wheel:
        wheel.extractall(folder / "packages")
    return folder / "packages"


def test_the_wheel_has_two_packages_and_nothing_else_at_its_top(installed: Path) -> None:
    names = {path.name for path in installed.iterdir() if path.suffix != ".dist-info"}
    assert names == {"dcodr", "tuning"}


def test_the_wheel_has_all_files_that_the_program_ships(installed: Path) -> None:
    for shipped, folder in (("tuning/search_spaces", "search_spaces"), ("dcodr/configs", "configs")):
        there, here = installed / shipped, ROOT / folder
        files = {path.relative_to(here) for path in here.rglob("*") if path.is_file()}
        assert {path.relative_to(there) for path in there.rglob("*") if path.is_file()} == files


def test_every_program_is_in_a_package(installed: Path) -> None:
    (file,) = installed.glob("*.dist-info/entry_points.txt")
    entry_points = configparser.ConfigParser()
    entry_points.read_string(file.read_text())
    programs = [*entry_points["console_scripts"].values()]
    assert len(programs) == 3
    for program in programs:
        module, main = program.split(":")
        source = installed / f"{module.replace('.', '/')}.py"
        assert f"def {main}(" in source.read_text() or f"import {main}" in source.read_text()


def test_without_the_clone_spaces_and_what_they_name_are_found(installed: Path, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from tuning.space.shipped import SPACES, program
from tuning.space import load_space
for file in SPACES.glob("*.yaml"):
    load_space(file.stem)
assert Path(load_space("strengths").search.warm_start.ranking).parent == SPACES
print(SPACES, *program())
"""
    env = os.environ | {"PYTHONPATH": str(installed)}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout.split() == [str(installed / "tuning" / "search_spaces"), "dcodr-tune"], done.stderr
