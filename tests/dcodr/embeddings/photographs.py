"""A folder of photographs with labels, and an encoder that was never trained."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dcodr.config import Config, EncoderConfig
from dcodr.data.dataset import FitMode
from dcodr.models.encoder import Encoder
from dcodr.training.encoder_file import write_encoder

COLORS = ["red", "green", "blue", "yellow", "black", "white"]
FILES = [f"{'ab'[i % 2]}/{COLORS[i // 2]}_{i % 2}.{'png' if i < 6 else 'jpg'}" for i in range(12)]
"""Paths of the photographs: two of every colour, one in each domain."""


def photographs(folder: Path) -> Path:
    """Write photographs of several shapes, formats and orientations; return the CSV file of their labels."""
    rng = np.random.default_rng(0)
    rows = ["domain,path,angle"]
    for i, name in enumerate(FILES):
        image = Image.new("RGB", (40 + 5 * i, 95 - 5 * i), COLORS[i // 2])
        image.paste(Image.fromarray(rng.integers(0, 256, (24, 30, 3), dtype=np.uint8)), (4, 6))
        exif = Image.Exif()
        exif[0x0112] = 6 if i % 2 else 1  # taken with the camera turned
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(folder / name, exif=exif)
        rows.append(f"{'ab'[i % 2]},{name},{i // 2}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder / "labels.csv"


def encoder_file(
    path: Path, image_size: int | None = 32, fit: FitMode = "crop", *, seed: int = 0, code_dim: int = 8
) -> Path:
    """Write an encoder with random weights."""
    torch.manual_seed(seed)
    encoder = Encoder("small", code_dim).eval()
    encoder.image_size, encoder.fit = image_size, fit
    config = Config(encoder=EncoderConfig(arch="small", code_dim=code_dim, weights=None))
    write_encoder(path, encoder, config)
    return path
