"""Space files for tests: the shipped ones, and parts of small ones."""

from pathlib import Path

SPACES = Path(__file__).parents[3] / "search_spaces"

BASE = "base: {preset: synthetic, overrides: {encoder: {arch: small, weights: null}}}\n"
TEMPERATURE = "params:\n  temperature: {type: float, low: 0.05, high: 0.5}\n"
SUBSET = (
    "params:\n  augmentations:\n    type: subset\n"
    "    members: [crop, gaussian_blur, high_contrast, high_saturation, affine]\n"
)
MIN_SCALE = "{min_scale: {type: float, low: 0.3, high: 0.8}}"
PAPERS_FIRST = (
    "the paper's setting, which is the first trial: widen it, replace the paper's with "
    "search.warm_start.paper_with: {%s: ...}, or set search.warm_start.paper: false"
)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(text)
    return path
