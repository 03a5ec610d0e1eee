"""The command lines: bad input is one clear message, exit code 2, nothing written."""

import contextlib
import io
import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.core import TyperGroup
from typer.main import get_command

import dcodr.cli
import tuning.cli
import tuning.search_cli
from dcodr import console
from dcodr.errors import UserError
from tests.tuning.report.searches import made
from tests.tuning.store import Store
from tests.tuning.trained import begin
from tuning.ledger.lock import driving

ROOT = Path(__file__).parents[1]
QUICK = ROOT / "search_spaces" / "quick.yaml"


APPS = {"tune": tuning.search_cli.app, "tuning": tuning.cli.app, "dcodr": dcodr.cli.app}


@dataclass
class Done:
    """Exit code and output of a command."""

    code: object
    out: str
    err: str


def run(app: str | typer.Typer, words: list[str], folder: Path) -> Done:
    """Run a command in this process, in which everything is imported already."""
    out, err, here = io.StringIO(), io.StringIO(), Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            console.run(APPS[app] if isinstance(app, str) else app, words)
    except SystemExit as end:
        return Done(end.code, out.getvalue(), err.getvalue())
    finally:
        os.chdir(here)


def refused(app: str, words: list[str], folder: Path) -> str:
    """Return the one message of a command that must fail and leave its folder as it was."""
    before = sorted(folder.rglob("*"))
    done = run(app, words, folder)
    assert done.code == 2, done
    assert "Traceback" not in done.err
    assert sorted(folder.rglob("*")) == before
    return done.err


def search(folder: Path, *words: str, space: Path = QUICK) -> str:
    """Return the message of a search that is refused."""
    return refused("tune", ["--space", str(space), *words], folder)


def test_a_process_ends_with_the_message_and_the_exit_code(tmp_path: Path) -> None:
    words = [sys.executable, str(ROOT / "tune.py"), "--space", "none.yaml"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: none.yaml: cannot be read")
    assert not list(tmp_path.iterdir())


def test_debug_shows_where_an_error_comes_from(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read") as caught:
        search(tmp_path, "--debug", space=tmp_path / "none.yaml")
    assert "read_yaml" in [entry.name for entry in caught.traceback]


def test_a_defect_is_told_apart_from_wrong_input(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(lambda: os.environ["NO_SUCH_KEY"])
    done = run(app, [], tmp_path)
    assert done.code == 3
    assert done.err == "error: KeyError: 'NO_SUCH_KEY'\nThis is a bug; --debug shows the traceback\n"


def test_a_shell_completes_the_names_of_searches(tmp_path: Path) -> None:
    for name in ("augs", "augs-2", "cars"):
        (tmp_path / "elsewhere" / name).mkdir(parents=True)
        (tmp_path / "elsewhere" / name / "ledger.log").touch()
    line = "dcodr-tuning status --storage elsewhere au"
    env = {"COMP_WORDS": line, "COMP_CWORD": "4", "_DCODR_TUNING_COMPLETE": "complete_bash"}
    words = [sys.executable, "-X", "importtime", str(Path(sys.executable).with_name("dcodr-tuning"))]
    done = subprocess.run(words, cwd=tmp_path, env=os.environ | env, capture_output=True, text=True)
    assert done.stdout.split() == ["augs", "augs-2"]
    assert not {"numpy", "optuna", "yaml"} & {line.split()[-1] for line in done.stderr.splitlines()}


def parse(command: Any, words: list[str]) -> None:
    """Read a command's words, as it does before it runs."""
    context = command.make_context(command.name, list(words))
    if isinstance(command, TyperGroup):
        _, below, rest = command.resolve_command(context, words)
        parse(below, rest)


@pytest.mark.parametrize("program", APPS)
def test_every_help_ends_with_examples_that_can_be_run(program: str) -> None:
    def check(command: Any, path: list[str]) -> None:
        title, *lines = command.epilog.split("\n\n")
        assert title in ("Example:", "Examples:")
        assert lines
        start = ["python", *(["tune.py"] if program == "tune" else ["-m", program])]
        for line in lines:
            words = shlex.split(line.partition(" > ")[0])
            assert words[: len(start) + len(path)] == [*start, *path]
            parse(whole, words[len(start) :])
            for word in words:
                assert not word.startswith(("search_spaces/", "configs/")) or (ROOT / word).exists()
        if isinstance(command, TyperGroup):
            for name, below in command.commands.items():
                check(below, [*path, name])

    whole = get_command(APPS[program])
    check(whole, [])


def test_a_list_of_searches(tmp_path: Path) -> None:
    assert run("tuning", ["list"], tmp_path) == Done(
        0, "", "There is no search in runs: start one with `python tune.py quick`.\n"
    )
    made(tmp_path / "runs" / "cars", [[0.25, 0.5], [0.5, 0.75]])
    over = made(tmp_path / "runs" / "augs", [])
    over.ledger.remember("ended", "its 40 trials are done")
    (tmp_path / "runs" / "bad").mkdir()
    (tmp_path / "runs" / "bad" / "ledger.log").write_text("no ledger")
    facts = json.loads(run("tuning", ["list", "--json"], tmp_path).out)
    best = {"trial": 1, "objectives": {"invariance": 0.5, "informativeness": 0.75}}
    told = ["name", "state", "dataset", "done", "trials", "best"]
    assert [[entry[key] for key in told] for entry in facts] == [
        ["augs", "finished", "synthetic", 0, 40, None],
        ["bad", "unreadable", None, 0, 0, None],
        ["cars", "interrupted", "synthetic", 2, 40, best],
    ]
    with driving(tmp_path / "runs" / "cars"):
        done = run("tuning", ["list"], tmp_path)
    assert done.code == 0
    augs, bad, cars, *rest = (line.split() for line in done.out.splitlines()[3:])
    assert augs == ["augs", "0/40", "finished", "synthetic", "-"]
    assert bad == ["bad", "-", "unreadable", "-", "-"]
    assert cars[:4] == ["cars", "2/40", "running", "synthetic"]
    shown = " ".join([*cars[4:], *(word for line in rest for word in line)])
    assert shown == "trial 001: invariance 0.500, informativeness 0.750"
    assert "warning: bad: runs/bad/ledger.log: not a ledger of a search" in done.err


@pytest.mark.parametrize("program", APPS)
def test_every_command_has_a_short_help_and_every_program_a_version(program: str, tmp_path: Path) -> None:
    def check(command: Any, path: list[str]) -> None:
        short, long = (run(program, [*path, option], tmp_path) for option in ("-h", "--help"))
        assert short == long
        assert (short.code, "Usage:" in short.out) == (0, True)
        assert "{" not in short.out
        assert "......" not in short.out
        for name, below in command.commands.items() if isinstance(command, TyperGroup) else ():
            check(below, [*path, name])

    check(get_command(APPS[program]), [])
    assert run(program, ["--version"], tmp_path) == Done(0, f"dcodr-tuning {version('dcodr-tuning')}\n", "")


def test_the_help_lists_commands_in_the_order_of_their_use(tmp_path: Path) -> None:
    told = run("dcodr", ["-h"], tmp_path).out.partition("Commands")[2]
    listed = [line.split()[1] for line in told.splitlines() if line.startswith("\u2502 ") and line[2] != " "]
    assert listed[:7] == ["data", "train", "evaluate", "embed", "neighbours", "map", "export"]
    assert "neighbours [OPTIONS] QUERY... " in run("dcodr", ["neighbours", "-h"], tmp_path).out


def test_the_space_is_an_argument_or_an_option(tmp_path: Path) -> None:
    for words in (["none.yaml"], ["--space", "none.yaml"]):
        assert refused("tune", words, tmp_path).startswith("error: none.yaml: cannot be read")
    assert "received none" in refused("tune", ["--trials", "3"], tmp_path)
    assert "received a.yaml and --space b.yaml" in refused("tune", ["a.yaml", "--space", "b.yaml"], tmp_path)


def test_a_search_that_nobody_works_on_is_not_watched(tmp_path: Path) -> None:
    made(tmp_path / "runs" / "s", [[0.25, 0.5]])
    done = run("tuning", ["status", "s", "--watch"], tmp_path)
    assert done.code == 0
    assert done.out.startswith("Search s: 1 complete\n")
    told, command = done.out.splitlines()[-2:]
    assert told == "No process works on this search any more. Continue it with:"
    assert command.startswith("    python tune.py --space ")
    assert " --name s " in command
    assert command.endswith(" --resume")
    assert "leave one out" in refused("tuning", ["status", "s", "--watch", "--json"], tmp_path)


def test_ctrl_c_ends_watching_quietly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    search = made(tmp_path / "runs" / "s", [[0.25, 0.5]])
    monkeypatch.setattr("tuning.report.watch.watch", interrupt)
    with driving(search.folder):
        done = run("tuning", ["status", "s", "--watch"], tmp_path)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Search s: 1 complete\n")


def test_a_diagnosis_for_scripts(tmp_path: Path) -> None:
    tracker = Store(tmp_path).begin("s")
    begin(tmp_path / "runs" / "s", tracker)
    done = run("tuning", ["doctor", "s", "--json"], tmp_path)
    facts = json.loads(done.out)
    assert (done.code, facts["well"], facts["trials"]) == (1, False, 6)
    assert facts["left"] == facts["found"]
    assert {"what": "trial 001 (pruned): MLflow has no run of it", "to_mend": True} in facts["found"]
    done = run("tuning", ["doctor", "s", "--fix", "--json"], tmp_path)
    mended = json.loads(done.out)
    assert (done.code, mended["well"], mended["found"]) == (0, True, facts["found"])
    assert mended["left"]
    assert not any(finding["to_mend"] for finding in mended["left"])


def test_a_status_for_scripts(tmp_path: Path) -> None:
    tracker = Store(tmp_path).begin("s")
    begun = begin(tmp_path / "runs" / "s", tracker)
    done = run("tuning", ["status", "s", "--json"], tmp_path)
    assert done.code == 0
    facts = json.loads(done.out)
    assert facts["trials"] == {"complete": 1, "pruned": 1, "infeasible": 1, "failed": 1, "cut off": 1}
    assert facts["process_at_work"] is False
    (only,) = facts["compared"]
    assert (only["trial"], only["paper"], only["knee"], only["on_front"]) == (0, False, True, True)
    assert only["objectives"] == {"invariance": 0.03, "informativeness": 0.5}
    assert facts["hypervolume"] == pytest.approx(0.03 * 0.5)
    assert only["settings"] == json.loads(json.dumps(begun.trials()[0].values))


def test_an_unknown_dataset(tmp_path: Path) -> None:
    message = search(tmp_path, "--dataset", "mnist")
    assert "data/mnist.h5 is not there" in message


def test_a_missing_store(tmp_path: Path) -> None:
    assert "none.h5 is not there" in search(tmp_path, "--dataset", "cars3d", "--data", "none.h5")


@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["search", "dry run"])
def test_a_storage_folder_at_a_uri(tmp_path: Path, more: list[str]) -> None:
    assert "has to be a folder, not a URI" in search(tmp_path, "--storage", "s3://bucket/runs", *more)


def test_a_store_at_a_uri_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCODR_CACHE", str(tmp_path.with_name(f"{tmp_path.name}-cache")))
    assert "cannot fetch memory://bucket/x.h5" in search(tmp_path, "--data", "memory://bucket/x.h5")


def test_resources_that_are_none(tmp_path: Path) -> None:
    message = search(tmp_path, "--set", "resources.gpus=1")
    assert message.startswith("error: --set resources: gpus: unknown key")
    message = search(tmp_path, "--set", "resources.gpu_type=H100")
    assert "gpu_type: H100 is asked for, but gpus_per_trial is 0" in message


def test_a_file_that_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("hello")
    assert "text.h5" in search(tmp_path, "--data", "text.h5")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_asked_for_where_none_is(tmp_path: Path, tiny_store: Path) -> None:
    space = tmp_path / "gpu.yaml"
    space.write_text(QUICK.read_text() + "resources: {gpus_per_trial: 1}\n")
    message = search(tmp_path, "--data", str(tiny_store), space=space)
    assert "a trial asks for 1 GPUs, this machine has 0" in message


def test_an_objective_that_is_no_figure(tmp_path: Path, tiny_store: Path) -> None:
    space = tmp_path / "objective.yaml"
    space.write_text(QUICK.read_text() + "objectives: {accuracy/azimuth: maximize}\n")
    message = search(tmp_path, "--data", str(tiny_store), space=space)
    assert "objectives.accuracy/azimuth: synthetic has no such metric" in message


@pytest.mark.long
def test_a_tracking_server_that_does_not_answer(
    tmp_path: Path, tiny_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (tmp_path / "runs").mkdir()
    message = search(tmp_path, "--data", str(tiny_store), "--tracking-uri", "http://127.0.0.1:1")
    assert "cannot use the MLflow tracking URI 'http://127.0.0.1:1'" in message


def test_weights_that_are_not_there(tmp_path: Path, tiny_store: Path) -> None:
    settings = ["--set", "perceptual.backbone=squeezenet1_1", "--set", "perceptual.weights=none.pth"]
    message = search(tmp_path, "--data", str(tiny_store), *settings)
    assert "none.pth" in message
    assert "perceptual.weights" in message


def test_a_search_that_is_not_there(tmp_path: Path) -> None:
    message = refused("tuning", ["export", "augs"], tmp_path)
    assert "no search named 'augs' in runs; there are: none: start one with `python tune.py quick`" in message


def test_a_training_that_is_not_there(tmp_path: Path) -> None:
    assert "checkpoint.pt: no such checkpoint" in refused("dcodr", ["evaluate", "none"], tmp_path)


def test_a_study_of_a_store_that_is_not_there(tmp_path: Path) -> None:
    message = refused("dcodr", ["study", "autoencoder", "--dataset", "cars3d"], tmp_path)
    assert "data/cars3d.h5 is not there" in message


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two domains of twelve images, and their labels."""
    rows = ["path,domain,tone"]
    for domain in ("a", "b"):
        for tone in range(12):
            name = f"{domain}{tone}.png"
            Image.fromarray(np.full((80, 80, 3), 20 * tone, np.uint8)).save(tmp_path / name)
            rows.append(f"{name},{domain},{tone % 3}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


PREPARE = ["data", "prepare", "folder", "--csv", "labels.csv", "--out", "own.h5"]


def test_a_folder_of_images(pictures: Path) -> None:
    done = run("dcodr", PREPARE, pictures)
    assert done.code == 0, done.err
    assert (pictures / "own.h5").is_file()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("a1.png,a,1", "none.png,a,1", "line 3"),
        ("a1.png,a,1", "a1.png,a,nan", "line 3"),
        ("a1.png,a,1", "a1.png,c,1", "domain"),
        ("a1.png,a,1", "../a1.png,a,1", "line 3"),
        ("a1.png,a,1", "labels.csv,a,1", "line 3"),
        ("path,domain,tone", "path,tone", "domain"),
        ("path,domain,tone", "path,domain,all", "column all: rename it"),
    ],
    ids=[
        "missing file",
        "NaN label",
        "one image in a domain",
        "outside the folder",
        "no image",
        "no domain column",
        "reserved name",
    ],
)
def test_a_wrong_folder_of_images(pictures: Path, old: str, new: str, message: str) -> None:
    labels = pictures / "labels.csv"
    labels.write_text(labels.read_text().replace(old, new))
    text = refused("dcodr", PREPARE, pictures)
    assert "labels.csv" in text
    assert message in text


def test_a_dataset_without_attributes_cannot_be_searched_for_informativeness(pictures: Path) -> None:
    labels = pictures / "labels.csv"
    labels.write_text("\n".join(line.rsplit(",", 1)[0] for line in labels.read_text().splitlines()) + "\n")
    assert run("dcodr", PREPARE, pictures).code == 0
    message = search(pictures, "--dataset", "own", "--data", "own.h5")
    assert "has no attribute to measure it by" in message
    assert "image_informativeness" in message
    assert "search_spaces/no_labels.yaml" in message


def test_columns_that_may_mean_something_else_are_doubted_on_standard_error(pictures: Path) -> None:
    labels = pictures / "labels.csv"
    labels.write_text(labels.read_text().replace("a1.png,a,1", "a1.png,a,1\x1b[2J").replace(",0\n", ",0.5\n"))
    done = run("dcodr", PREPARE, pictures)
    assert done.code == 0
    assert r"warning: labels.csv, column tone: taken as 4 classes, though most of its cells" in done.err
    assert r"'1\x1b[2J' on line 3" in done.err
    assert "\x1b[2J" not in done.err.replace("warning", "")
    done = run("dcodr", [*PREPARE, "--force", "--categorical", "tone"], pictures)
    assert (done.code, "taken as" in done.err) == (0, False)
    assert "line 3, column tone" in refused("dcodr", [*PREPARE, "--force", "--continuous", "tone"], pictures)


def test_a_space_with_several_mistakes_is_one_message_with_a_line_for_each(tmp_path: Path) -> None:
    space = tmp_path / "wrong.yaml"
    space.write_text(
        QUICK.read_text().replace("temperature:", "temprature:").replace("trials: 4", "trials: 4.5")
    )
    lines = search(tmp_path, "--set", "epochs=1:30", space=space).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["error", f"{space}, line 23"],
        ["--set epochs=1:30", "received '1:30'; should be a valid integer"],
        [f"{space}, line 19", "params.temprature"],
    ]


@pytest.mark.parametrize(("reached", "code"), [([], 1), ([[0.5, 0.5]], 0)])
def test_a_search_without_a_result_ends_with_1(
    reached: list[list[float]], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = made(tmp_path / "runs" / "s", reached)
    monkeypatch.setattr("tuning.run.run_search", lambda *_, **__: ended)
    assert run("tune", ["quick"], tmp_path).code == code
