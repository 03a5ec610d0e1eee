"""A search on images of which nothing is labelled but the domain, from the CSV to an evaluated encoder."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from PIL import Image

from tests.docs.commands import run_python
from tests.faults.searching import statuses
from tests.tuning.store import place
from tuning.results.search import Search

SPACE = Path(__file__).parents[2] / "search_spaces" / "no_labels.yaml"
HEADLINES = {"invariance", "image_informativeness"}

COMMANDS = """
python -m dcodr data prepare folder --csv blots/labels.csv --image-size 32
python -m dcodr data info data/blots.h5
python -m dcodr data preview data/blots.h5
python tune.py --space SPACE --dataset blots --trials 3 SETTINGS
python -m tuning status no_labels
python -m tuning doctor no_labels
python -m tuning report no_labels
python -m tuning export no_labels --pick best:image_informativeness
python -m dcodr train --config best/*.yaml --out trained
python -m dcodr evaluate trained
"""


@pytest.fixture
def blots(tmp_path: Path) -> Path:
    """Dark blots somewhere on paper of three colours, and a CSV of no more than path and domain."""
    rng = np.random.default_rng(0)
    rows, folder = ["path,domain"], tmp_path / "blots"
    folder.mkdir()
    for domain in range(3):
        for number in range(24):
            pixels = np.full((32, 32, 3), 180, dtype=np.uint8)
            pixels[..., domain] = 255
            x, y = rng.integers(0, 24, 2)
            pixels[y : y + 8, x : x + 8] = rng.integers(0, 120)
            name = f"{domain}-{number}.png"
            Image.fromarray(pixels).save(folder / name)
            rows.append(f"{name},{domain}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.mark.long
def test_everything_works_without_informativeness(
    blots: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place(blots / "runs")
    printed = {}
    (blots / "tune.py").symlink_to(SPACE.parents[1] / "tune.py")
    settings = "--set epochs=2 --set batch.n_domains=3 --set batch.n_per_domain=8"
    commands = COMMANDS.replace("SPACE", str(SPACE)).replace("SETTINGS", settings)
    for command in commands.strip().splitlines():
        run_python(command, blots, monkeypatch)
        printed[" ".join(command.split()[1:5])] = capsys.readouterr().out
    assert "attributes" in printed["-m dcodr data info"]
    assert "none" in printed["-m dcodr data info"]
    search = Search.open("no_labels", blots / "runs")
    assert [trial.status for trial in search.trials()] == ["complete"] * 3
    for trial in search.trials():
        assert trial.metrics.keys() >= HEADLINES
        assert not trial.metrics.keys() & {"informativeness"}
    assert re.search(
        r"^image_informativeness +0\.\d{3} ", printed[f"tune.py --space {SPACE} --dataset"], re.M
    )
    client = MlflowClient(f"sqlite:///{blots / 'runs' / 'mlflow.db'}")
    assert statuses(client, search) == ("FINISHED", ["FINISHED"] * 3)
    assert "most-informative" in client.get_registered_model("no_labels").aliases
    assert "image_informativeness" in (search.folder / "report.html").read_text()
    assert "are reproduced exactly" in printed["-m dcodr train --config"]
    tested = json.loads((blots / "trained" / "test.json").read_text())
    assert tested["metrics"].keys() >= HEADLINES
    assert tested["intervals"].keys() >= HEADLINES
