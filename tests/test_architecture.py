"""The arrows between the parts, held in place."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

import dcodr
import tuning
from docs.architecture import imported

ROOT = Path(__file__).parents[1]
FILES = sorted([*(ROOT / "dcodr").rglob("*.py"), *(ROOT / "tuning").rglob("*.py")])


def imports(path: Path) -> set[str]:
    """Names of all modules that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found.add(node.module or "")
    return found


def touches(names: set[str], module: str) -> bool:
    return any(name == module or name.startswith(module + ".") for name in names)


def parts(*names: str) -> list[Path]:
    chosen = [path for path in FILES for name in names if path.relative_to(ROOT).as_posix().startswith(name)]
    assert chosen
    return chosen


@pytest.mark.parametrize("path", parts("dcodr/"), ids=str)
def test_the_method_knows_nothing_of_the_search(path: Path) -> None:
    for module in ("ray", "optuna", "mlflow", "tuning"):
        assert not touches(imports(path), module)


@pytest.mark.parametrize(
    "path",
    parts(
        "dcodr/losses/",
        "dcodr/models/",
        "dcodr/training/sampler.py",
        "dcodr/augmentations/",
        "dcodr/evaluation/",
    ),
    ids=str,
)
def test_building_blocks_take_scalars_and_tensors(path: Path) -> None:
    for module in (
        "dcodr.config",
        "dcodr.methods",
        "dcodr.training.trainer",
        "dcodr.training.checkpoint",
        "dcodr.data.store",
        "pathlib",
    ):
        assert not touches(imports(path), module)


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        (
            "ray",
            {
                "cluster/nodes.py",
                "cluster/session.py",
                "driver/measure.py",
                "driver/recorder.py",
                "driver/scheduler.py",
                "driver/searcher.py",
                "driver/stages.py",
                "driver/trainable.py",
            },
        ),
        (
            "optuna",
            {
                "analysis/importance.py",
                "ledger/encoding.py",
                "ledger/journal.py",
                "ledger/ledger.py",
                "ledger/resume.py",
                "ledger/trials.py",
                "sampling/gp_sampler.py",
                "sampling/news.py",
                "sampling/points.py",
                "sampling/sampler.py",
            },
        ),
        (
            "mlflow",
            {
                "tracking/encoders.py",
                "tracking/file.py",
                "tracking/registry.py",
                "tracking/store.py",
                "tracking/tracker.py",
            },
        ),
    ],
)
def test_each_engine_has_its_own_room(module: str, allowed: set[str]) -> None:
    rooms = {path.relative_to(ROOT / "tuning").as_posix(): path for path in parts("tuning/")}
    assert {name for name, path in rooms.items() if touches(imports(path), module)} == allowed


def test_only_one_file_has_tune_ask_the_searcher() -> None:
    knowing = {path.name for path in parts("tuning/") if touches(imports(path), "tuning.driver.searcher")}
    assert knowing == {"stages.py"}


def test_no_files_import_each_other_in_a_circle() -> None:
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in FILES}
    # Imports within functions count, too.
    TopologicalSorter({name: imported(path) & names.keys() for name, path in names.items()}).prepare()


@pytest.mark.parametrize(
    "words",
    [["tune.py", "--help"], ["-m", "tuning", "--help"], ["-m", "dcodr", "--help"]],
    ids=["tune", "tuning", "dcodr"],
)
def test_help_imports_no_engine(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"torch", "ray", "mlflow", "optuna", "scipy", "matplotlib"}
    assert "python" in done.stdout


def test_the_help_of_a_search_imports_no_configs() -> None:
    code = "import sys, tuning.search_cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"pydantic", "yaml", "dcodr.config"}


def test_the_packages_import_no_engine_until_it_is_used() -> None:
    code = "import sys, dcodr, tuning; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"torch", "ray", "mlflow", "optuna", "numpy", "pydantic"}


@pytest.mark.parametrize("package", [dcodr, tuning], ids=["dcodr", "tuning"])
def test_every_public_name_is_there_and_no_other(package: ModuleType) -> None:
    for name in package.__all__:
        assert callable(getattr(package, name))
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        getattr(package, "nonsense")  # noqa: B009
