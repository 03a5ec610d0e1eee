"""Freed memory is kept. Tested in a separate process, because the setting affects the whole process."""

import math
import platform
import subprocess
import sys

import pytest
import torch

from dcodr.training.memory import room_for_images

FAULTS = """
import resource, sys
import numpy as np
from dcodr.training.memory import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

if sys.argv[1] == "keep":
    keep_freed_memory()
np.ones(2**24, np.uint8), np.ones(2**26, np.uint8)
before = faults()
for _ in range(10):
    np.ones(2**24, np.uint8), np.ones(2**26, np.uint8)
print(faults() - before)
"""


def page_faults(mode: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, mode], capture_output=True, text=True, check=True, timeout=60
    )
    return int(done.stdout)


@pytest.mark.long
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_blocks_used_again_cost_no_page_faults() -> None:
    assert page_faults("keep") < 100
    assert page_faults("leave") > 1000


def test_the_cpu_needs_no_copy() -> None:
    assert room_for_images(torch.device("cpu")) == math.inf
