"""Where memory comes from: pages that are kept on the CPU, images that lie on the device."""

import ctypes
import math
import platform

import torch

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_STEP_AHEAD = 256 * 2**20
_ALL = 2**31 - 1


def keep_freed_memory() -> None:
    """Let the process keep the memory that it frees, from now on; where the C library is not glibc, nothing.

    Every step of a training asks for the same large blocks. By default each is fetched from the system,
    page by page filled with zeros, and given back: 100,000 page faults a step of ResNet-50 or more, for a
    tenth of its time on two cores. What is kept is at most the peak.
    """
    if platform.libc_ver()[0] == "glibc":
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _ALL)
        mallopt(_M_TOP_PAD, _STEP_AHEAD)


def hold_to_share(gpus: float) -> None:
    """Let this process allocate no more than its share of a GPU's memory, from now on.

    Args:
        gpus: GPUs that the process was given, or its share of one; 0 changes nothing.
    """
    if gpus > 0:
        torch.cuda.set_per_process_memory_fraction(min(float(gpus), 1.0), torch.cuda.current_device())


def room_for_images(device: torch.device) -> float:
    """Bytes that images may take on a device for a whole training: half of what this process can still have.

    On the CPU nothing is copied, so that there is room for all. On a GPU the share counts that the process is
    held to, and what an earlier training of this process has freed is given back first: PyTorch keeps it, and
    to the GPU it looks taken.

    Args:
        device: Where the images would lie; a GPU by its index, as ``resolve_device`` gives it.
    """
    if device.type != "cuda":
        return math.inf
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info(device)
    share = torch.cuda.get_per_process_memory_fraction(device) * total
    return min(free, share - torch.cuda.memory_reserved(device)) / 2
