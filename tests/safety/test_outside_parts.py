"""Files that name code of packages that nobody allowed: it is refused and never imported."""

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from safetensors.torch import save_file

import dcodr
from dcodr import plugins
from dcodr.config import Config, dump_config, read_config
from dcodr.data.dataset import FactorDataset
from dcodr.errors import UserError
from dcodr.models.encoder import Encoder
from dcodr.training.checkpoint import Checkpoint, Epoch, save_checkpoint
from dcodr.training.trainer import fit
from tests.docs.commands import run_python
from tests.tuning.report.searches import made, spread
from tuning.space import load_space
from tuning.space.space import load_space_with_options
from tuning.ui.server import serving

NAMES = ("os:system", "stranger.parts:part", "subprocess:run")


@pytest.fixture(autouse=True)
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that a package, which Python finds, writes when it is imported."""
    (tmp_path / "stranger").mkdir()
    trace = tmp_path / "imported"
    code = f"from pathlib import Path\nPath({str(trace)!r}).touch()\n"
    (tmp_path / "stranger" / "__init__.py").write_text(code)
    (tmp_path / "stranger" / "parts.py").write_text("part = print\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(plugins.ENVIRONMENT, "")
    monkeypatch.setattr("os.system", refuse)
    monkeypatch.setattr("subprocess.run", refuse)
    return trace


def refuse(*args: Any, **options: Any) -> None:
    raise AssertionError("a part of Python was called")


def space(folder: Path, **changes: Any) -> Path:
    """Write a space with some values replaced, as JSON, which is YAML."""
    base = {"preset": "synthetic", "overrides": {"encoder": {"weights": None}}}
    whole = {
        "base": base,
        "params": {"temperature": {"type": "float", "low": 0.05, "high": 0.5}},
        "search": {"warm_start": {"paper": False}},
    }
    (folder / "space.yaml").write_text(json.dumps(whole | changes))
    return folder / "space.yaml"


def overridden(**overrides: Any) -> dict[str, Any]:
    return {"base": {"preset": "synthetic", "overrides": overrides}}


PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "the base's encoder": lambda name: overridden(encoder={"arch": name, "weights": None}),
    "the base's method": lambda name: overridden(method=name),
    "the base's augmentations": lambda name: overridden(augmentations=[name]),
    "the base's metrics": lambda name: overridden(metrics=[name]),
    "an encoder": lambda name: {
        "params": {"encoder.arch": {"type": "categorical", "choices": ["small", name]}}
    },
    "a method": lambda name: {"params": {"method": {"type": "categorical", "choices": ["simclr", name]}}},
    "an augmentation": lambda name: {
        "params": {"augmentations": {"type": "subset", "members": ["crop", name]}}
    },
    "an objective": lambda name: {"objectives": {name: "maximize"}},
    "the sampler": lambda name: {"search": {"sampler": name, "warm_start": {"paper": False}}},
}


METRIC = """
from dcodr.evaluation.outside import metric

@metric("minimize", reference=1.0)
def size(codes, labels):
    return 0.5
"""
PARTS = """
  encoder.arch: {type: categorical, choices: [small, stranger.parts:part]}
  method: {type: categorical, choices: [dcodr, stranger.parts:part]}
  augmentations: {type: subset, members: [crop, gaussian_blur, "stranger.parts:part"]}
"""


@pytest.fixture
def foreign(tmp_path: Path, trace: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A search with parts of a package that was allowed then, and is not any more."""
    (tmp_path / "stranger" / "parts.py").write_text(METRIC + "part = print\n")
    monkeypatch.setenv(plugins.ENVIRONMENT, "stranger")
    objectives = {"informativeness": "maximize", "stranger.parts:size": "minimize"}
    made(tmp_path / "runs" / "mine", spread(4), objectives, PARTS, paper=False)
    monkeypatch.setenv(plugins.ENVIRONMENT, "")
    for name in [name for name in sys.modules if name.split(".")[0] == "stranger"]:
        monkeypatch.delitem(sys.modules, name)
    trace.unlink(missing_ok=True)
    return "mine"


@pytest.mark.parametrize(
    "command", ["list", "status mine", "status mine --json", "export mine", "report mine --out page.html"]
)
def test_results_are_shown_without_the_code_of_the_search(
    command: str,
    foreign: str,
    tmp_path: Path,
    trace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_python(f"python -m tuning {command}", tmp_path, monkeypatch)
    printed = capsys.readouterr()
    assert foreign in printed.out or "page.html" in printed.out
    assert not printed.err
    assert not trace.exists()


def test_the_page_of_a_search_runs_no_code_of_it(foreign: str, tmp_path: Path, trace: Path) -> None:
    with serving(foreign, tmp_path / "runs", "127.0.0.1", 0) as (server, address):
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with urlopen(address, timeout=60) as page:
                assert foreign in page.read().decode()
        finally:
            server.shutdown()
            thread.join()
    assert not trace.exists()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", PLACES)
def test_a_space_imports_nothing(place: str, name: str, tmp_path: Path, trace: Path) -> None:
    path = space(tmp_path, **PLACES[place](name))
    with pytest.raises(UserError, match=f"line 1: .*{name} is code of ") as caught:
        load_space(path)
    if name.startswith("stranger"):
        assert "call dcodr.plugins.allow(['stranger']) before" in str(caught.value)
        assert "set DCODR_PLUGINS=stranger" in str(caught.value)
    assert not trace.exists()


def test_a_search_refuses_it_on_the_command_line(
    tmp_path: Path, trace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    space(tmp_path, **PLACES["a method"]("stranger.parts:part"))
    (tmp_path / "tune.py").symlink_to(Path(__file__).parents[2] / "tune.py")
    with pytest.raises(SystemExit) as end:
        run_python("python tune.py --space space.yaml", tmp_path, monkeypatch)
    assert end.value.code == 2
    assert "add --plugins stranger to the command" in capsys.readouterr().err
    assert not trace.exists()
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "setting",
    [
        lambda name: {"encoder": {"arch": name}},
        lambda name: {"method": name},
        lambda name: {"augmentations": [name]},
    ],
    ids=["encoder", "method", "augmentation"],
)
def test_a_config_is_read_but_not_trained(
    setting: Callable[[str], dict[str, Any]],
    name: str,
    few: FactorDataset,
    short_config: Config,
    tmp_path: Path,
    trace: Path,
) -> None:
    config = Config.model_validate(short_config.model_dump() | setting(name))
    (tmp_path / "c.yaml").write_text(dump_config(config))
    read, _ = read_config(tmp_path / "c.yaml")
    assert read == config
    with pytest.raises(UserError, match=f"{name} is code of "):
        fit(read, few)
    assert not trace.exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_trained_encoder_is_not_loaded(
    name: str, short_config: Config, tmp_path: Path, trace: Path
) -> None:
    encoder = short_config.encoder.model_copy(update={"arch": name})
    config = short_config.model_copy(update={"encoder": encoder})
    weights = Encoder("small", 16).state_dict()
    model = {f"encoder.{key}": value for key, value in weights.items()}
    save_checkpoint(
        tmp_path / "c.pt", Checkpoint(config, "0" * 64, Epoch(1, {}, None, 1.0), model, {}, image_size=64)
    )
    header = {"config": config.model_dump(mode="json"), "image_size": 64}
    save_file(weights, tmp_path / "e.safetensors", metadata={"dcodr": json.dumps(header)})
    for file in ("c.pt", "e.safetensors"):
        with pytest.raises(UserError, match=f"encoder.arch: {name} is code of "):
            dcodr.load(tmp_path / file)
    assert not trace.exists()
    assert "stranger" not in sys.modules


def test_the_package_would_have_left_a_trace(tmp_path: Path, trace: Path) -> None:
    plugins.allow(["stranger"])
    assert not trace.exists()
    assert plugins.load("stranger.parts:part", "metrics") is print
    assert trace.exists()
    for name in ("stranger", "stranger.parts"):
        del sys.modules[name]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("encoder.arch", "stranger.parts:part"),
        ("method", "stranger.parts:part"),
        ("augmentations", ["crop", "stranger.parts:part"]),
        ("search.sampler", "stranger.parts:part"),
    ],
)
def test_a_refused_part_is_blamed_on_the_setting_that_names_it(
    tmp_path: Path, trace: Path, key: str, value: Any
) -> None:
    path = space(tmp_path)
    text = f"{key}={json.dumps(value)}"
    with pytest.raises(UserError, match="is code of the package stranger") as error:
        load_space(path, settings={"epochs": 3, key: value})
    assert str(error.value).startswith(f"settings: {key}: ")
    with pytest.raises(UserError, match="is code of the package stranger") as error:
        load_space_with_options(path, settings=["epochs=3", text])
    assert str(error.value).startswith(f"--set {text}: ")
    assert not trace.exists()
