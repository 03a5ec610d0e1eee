"""The Dockerfiles name files, programs, extras and a Python that the project has; no image is built here."""

import fnmatch
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FILES = sorted((ROOT / "docker").glob("Dockerfile*"))


def instructions(path: Path) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile, without comments, each with its arguments."""
    text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def given(path: Path, name: str) -> list[str]:
    return [rest for word, rest in instructions(path) if word == name]


def sources(path: Path) -> list[str]:
    return [source for rest in given(path, "COPY") for source in shlex.split(rest)[:-1]]


def test_there_is_one_for_the_cpu_and_one_for_gpus() -> None:
    assert [path.name for path in FILES] == ["Dockerfile", "Dockerfile.gpu"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_base_is_pinned_to_a_python_that_is_supported(path: Path) -> None:
    (base,) = given(path, "FROM")
    tag = re.fullmatch(r"python:(3\.\d+)-slim-\w+", base)
    assert tag is not None, base
    assert SpecifierSet(PROJECT["project"]["requires-python"]).contains(tag[1])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_is_copied_is_there_and_is_all_that_the_wheel_is_built_of(path: Path) -> None:
    copied = set(sources(path))
    assert all((ROOT / source).exists() for source in copied)
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    project = PROJECT["project"]
    needed = {*wheel["packages"], *wheel["force-include"], project["readme"], project["license"]["file"]}
    assert copied == needed | {"pyproject.toml"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_is_copied_is_not_ignored(path: Path) -> None:
    lines = (ROOT / ".dockerignore").read_text().split()
    assert lines[0] == "*"
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert set(sources(path)) <= kept
    dropped = [line for line in lines[1:] if not line.startswith("!")]
    assert not [source for source in sources(path) for line in dropped if fnmatch.fnmatch(source, line)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_starts_a_search_of_a_shipped_space_as_an_unprivileged_user(path: Path) -> None:
    (program,) = given(path, "ENTRYPOINT")
    (space,) = given(path, "CMD")
    assert program == '["dcodr-tune"]'
    assert "dcodr-tune" in PROJECT["project"]["scripts"]
    assert (ROOT / "search_spaces" / f"{space.strip('[]').strip(chr(34))}.yaml").is_file()
    words = [word for word, _ in instructions(path)]
    assert given(path, "USER") == ["searcher"]
    assert "RUN" not in words[words.index("USER") :]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_extras_that_are_installed_exist(path: Path) -> None:
    for rest in given(path, "RUN"):
        for extras in re.findall(r"/source\[([\w,]+)\]", rest):
            assert set(extras.split(",")) <= set(PROJECT["project"]["optional-dependencies"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_packages_that_are_named_have_the_floors_of_the_project(path: Path) -> None:
    floors = {
        requirement.name: requirement for requirement in map(Requirement, PROJECT["project"]["dependencies"])
    }
    named = [word for rest in given(path, "RUN") for word in shlex.split(rest) if re.match("torch", word)]
    assert [Requirement(word) for word in named] == [floors[Requirement(word).name] for word in named]
    assert bool(named) == (path.name == "Dockerfile")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_user_without_a_name_has_one(path: Path) -> None:
    (variables,) = given(path, "ENV")
    assert {"HOME=/home/searcher", "USER=searcher"} <= set(variables.split())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_head_states_the_size_of_the_image(path: Path) -> None:
    head = path.read_text().partition("FROM ")[0]
    assert re.search(r"# The image takes about [\d.]+ GB", head)
