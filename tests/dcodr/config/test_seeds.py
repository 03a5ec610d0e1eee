"""The largest seed works everywhere, and a larger one is refused where it is given."""

import io
from contextlib import redirect_stderr
from pathlib import Path

import pytest

import dcodr.cli
from dcodr import console
from dcodr.config import Config, read_config
from dcodr.data.dataset import FactorDataset
from dcodr.data.prepare import prepare_synthetic
from dcodr.data.preview import contact_sheet
from dcodr.data.store import open_store
from dcodr.errors import UserError
from dcodr.seeds import MAX_SEED
from dcodr.training.trainer import fit
from tuning import search_cli
from tuning.space import load_space

QUICK = Path(__file__).parents[3] / "search_spaces" / "quick.yaml"
TOO_LARGE = 2**63


def test_a_training_with_the_largest_seed(tiny_config: Config, tiny: FactorDataset) -> None:
    fit(tiny_config.model_copy(update={"seed": MAX_SEED, "epochs": 1}), tiny)


def test_a_store_and_its_preview_with_the_largest_seed(tmp_path: Path) -> None:
    prepare_synthetic(tmp_path / "a.h5", 200, seed=MAX_SEED)
    contact_sheet(open_store(tmp_path / "a.h5"), seed=MAX_SEED)


def test_a_seed_that_is_too_large_is_refused_where_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    lines = QUICK.read_text().splitlines()
    assert lines[-1] == "  startup_trials: 2"
    file.write_text("\n".join([*lines, f"  seed: {TOO_LARGE}"]))
    with pytest.raises(UserError, match=rf"space\.yaml, line {len(lines) + 1}: .*64 bits"):
        load_space(file)
    (tmp_path / "config.yaml").write_text(f"dataset: synthetic\nseed: {TOO_LARGE}\n")
    with pytest.raises(UserError, match=r"config\.yaml, line 2: .*64 bits"):
        read_config(tmp_path / "config.yaml")
    with pytest.raises(UserError, match=r"seed"):
        load_space(QUICK, settings={"seed": TOO_LARGE})


@pytest.mark.parametrize(
    "words",
    [
        ["tune", "--space", str(QUICK), "--seed"],
        ["data", "prepare", "synthetic", "--seed"],
        ["data", "prepare", "cars3d", "--raw", ".", "--seed"],
        ["data", "preview", "a.h5", "--seed"],
        ["study", "autoencoder", "--dataset", "cars3d", "--seed"],
        ["reproduce", "--table", "3", "--seeds"],
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_a_seed_that_is_too_large_is_refused_on_the_command_line(words: list[str]) -> None:
    app = search_cli.app if words[0] == "tune" else dcodr.cli.app
    errors = io.StringIO()
    with redirect_stderr(errors), pytest.raises(SystemExit) as ended:
        console.run(app, [*words[words[0] == "tune" :], str(TOO_LARGE)])
    assert ended.value.code == 2
    assert "9223372036854775807" in errors.getvalue()
