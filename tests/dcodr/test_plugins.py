"""Permission: a name alone never imports a package."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcodr import plugins
from dcodr.config import Config
from dcodr.errors import UserError
from tests.extending import announce


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package that Python finds and nobody allows; it has a part, and fails in a module."""
    (tmp_path / "stranger").mkdir()
    (tmp_path / "stranger" / "__init__.py").write_text("part = 7\n")
    (tmp_path / "stranger" / "broken.py").write_text("raise RuntimeError('no licence')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv(plugins.ENVIRONMENT, raising=False)
    return "stranger"


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(plugins.ENVIRONMENT, "")
    yield
    for name in [name for name in sys.modules if name.split(".")[0] in ("stranger", "other")]:
        del sys.modules[name]


def test_a_package_that_is_not_allowed_is_not_imported(package: str) -> None:
    with pytest.raises(
        UserError,
        match=r"encoder.arch: stranger:part .* call dcodr.plugins.allow\(\['stranger'\]\) .* or set DCODR",
    ):
        plugins.load("stranger:part", "encoder.arch")
    assert package not in sys.modules


def test_an_allowed_package_is_imported(package: str) -> None:
    plugins.allow([package])
    assert package not in sys.modules
    assert plugins.load("stranger:part", "metrics") == 7


def test_the_environment_of_the_machine_allows_packages(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(plugins.ENVIRONMENT, f"another, {package}")
    assert plugins.load("stranger:part", "metrics") == 7


def test_processes_that_this_one_starts_get_the_same_permission(package: str) -> None:
    plugins.allow([package])
    code = "from dcodr import plugins; print(plugins.allowed())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "['stranger']"
    assert plugins.environment() == {plugins.ENVIRONMENT: "stranger"}


def test_permission_for_one_package_is_not_one_for_another(package: str) -> None:
    plugins.allow([package])
    with pytest.raises(UserError, match="os:system is code of Python itself"):
        plugins.load("os:system", "method")
    with pytest.raises(UserError, match="the package strangers, which this machine does not allow"):
        plugins.load("strangers:part", "method")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("os", "is a part of Python"),
        ("no_such_package", "Python finds no such package"),
        ("my-package", "should be the name of a package as Python imports it"),
        ("stranger.broken", "should be the name of a package as Python imports it"),
        ("__main__", "Python finds no such package"),
    ],
)
def test_only_packages_can_be_allowed(package: str, name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        plugins.allow([name])
    assert plugins.allowed() == []


def test_python_itself_is_not_allowed_by_the_environment_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugins.ENVIRONMENT, "os,subprocess")
    with pytest.raises(UserError, match="code of Python itself"):
        plugins.load("subprocess:run", "metrics")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stranger:nothing", "cannot be loaded: AttributeError"),
        ("stranger.nothing:part", "cannot be loaded: ModuleNotFoundError"),
        ("stranger.broken:part", "cannot be loaded: RuntimeError: no licence"),
        ("stranger:os.system", "should be package.module:attribute"),
        ("stranger", "should be package.module:attribute"),
    ],
)
def test_what_cannot_be_loaded_is_told(package: str, name: str, message: str) -> None:
    plugins.allow([package])
    with pytest.raises(UserError, match=f"metrics: .*{message}"):
        plugins.load(name, "metrics")


def test_short_names_become_full_names_without_an_import(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(
        tmp_path,
        package,
        {
            "dcodr.augmentations": {
                "fog": "stranger:fog",
                "crop": "stranger:crop",
                "odd": "stranger:os.system",
            }
        },
    )
    assert Config.model_validate({"augmentations": ["fog", "crop"]}).augmentations == ("crop", "stranger:fog")
    assert plugins.full_name("metrics", "fog") == "fog"
    assert plugins.full_name("augmentations", "odd") == "odd"
    with pytest.raises(ValueError, match=r"unknown augmentation 'fgo' \(did you mean fog\?\)"):
        Config.model_validate({"augmentations": ["fgo"]})
    announce(tmp_path, "other", {"dcodr.augmentations": {"fog": "other:fog"}})
    with pytest.raises(ValueError, match="several packages: write other:fog or stranger:fog"):
        Config.model_validate({"augmentations": ["fog"]})
    assert package not in sys.modules


@given(st.text(max_size=12), st.text(max_size=12))
def test_a_name_has_a_module_and_one_attribute(module: str, attribute: str) -> None:
    if plugins.is_outside(f"{module}:{attribute}"):
        assert attribute.isidentifier()
        assert all(part.isidentifier() for part in module.split("."))
