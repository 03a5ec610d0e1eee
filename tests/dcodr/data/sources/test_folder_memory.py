"""The memory of the preparation of a user's own images."""

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcodr.data.prepare import prepare
from dcodr.data.sources.folder import read_folders
from dcodr.data.sources.labelled import Options
from dcodr.data.store import open_store

SIZE, COUNT = 1024, 40


def test_few_of_many_large_images_are_in_memory_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    for number in range(COUNT):
        file = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(file)
    raw = read_folders(tmp_path / "photos", "photos", Options(image_size=SIZE), warn=pytest.fail)
    tracemalloc.start()  # NumPy tells it of its arrays
    try:
        prepare(tmp_path / "photos.h5", raw)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * SIZE**2 * 3
    assert np.asarray(open_store(tmp_path / "photos.h5").images).nbytes == COUNT * SIZE**2 * 3
