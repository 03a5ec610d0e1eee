"""bfloat16 changes final figures no more than another seed does: in the record and in a short run."""

import os
import statistics
from pathlib import Path

import pytest

from benchmarks.precision import FIGURES, PRECISIONS, change, figures, recorded, table
from dcodr.config import Config, EncoderConfig
from dcodr.data.prepare import prepare
from dcodr.data.sources.cars3d import read_cars3d
from dcodr.data.store import open_store
from dcodr.training.trainer import fit

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
CONFIGS = sorted({run["config"] for run in recorded()})


@pytest.mark.parametrize("config", CONFIGS)
def test_cars3d_ends_within_the_spread_of_seeds(config: str) -> None:
    runs = [run for run in recorded() if run["config"] == config]
    for name in FIGURES:
        wide, half = (figures(runs, precision, name) for precision in PRECISIONS)
        assert len(wide) == len(half) >= 3
        assert abs(change(wide, half)) <= 1, name
    assert table(runs) in PAGE.read_text()


def test_a_change_is_counted_in_deviations() -> None:
    assert change([0.0, 0.2], [0.1, 0.3]) == pytest.approx(0.1 / statistics.stdev([0.0, 0.2]))
    assert change([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]) == 0


@pytest.mark.train
@pytest.mark.skipif(
    "DCODR_DATA" not in os.environ, reason="DCODR_DATA names no folder with the original files in cars3d/"
)
def test_a_short_training_in_bfloat16_reaches_what_float32_does(tmp_path: Path) -> None:
    originals = sorted(Path(os.environ["DCODR_DATA"], "cars3d").glob("*.mat"))[::8]
    (tmp_path / "cars").mkdir()
    for file in originals:
        (tmp_path / "cars" / file.name).symlink_to(file.resolve())
    prepare(tmp_path / "cars3d.h5", read_cars3d(tmp_path / "cars"))
    config = Config(
        method="dcodr_norec",
        dataset="cars3d",
        data=str(tmp_path / "cars3d.h5"),
        encoder=EncoderConfig(arch="small", code_dim=16),
        encoder_lr=1e-3,
        epochs=4,
        evaluate_every=4,
        precision="bfloat16",
        device="cpu",
    )
    found = fit(config, open_store(config.store)).report.figures
    skills = [
        (found[f"accuracy/{name}"] - found[f"chance/{name}"]) / (1 - found[f"chance/{name}"])
        for name in ("azimuth", "elevation", "pose")
    ]
    # Four seeds in float32 had 0.738 and 0.689 with deviations of 0.042 and 0.010, in bfloat16 of 0.02 both.
    assert found["invariance"] == pytest.approx(0.738, abs=0.13)
    assert statistics.mean(skills) == pytest.approx(0.689, abs=0.06)
