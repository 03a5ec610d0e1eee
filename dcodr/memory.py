"""Where memory comes from: pages that are kept on the CPU, images that lie on the device."""

import ctypes
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


def fits(n_bytes: int, device: torch.device) -> bool:
    """Whether that much may lie on the device for a whole training: up to half of what is free there.

    On the CPU nothing is copied, so that all fits. A share of a GPU that the process is held to counts.
    """
    if device.type != "cuda":
        return True
    free, total = torch.cuda.mem_get_info(device)
    share = torch.cuda.get_per_process_memory_fraction(device)
    return n_bytes <= min(free, share * total) / 2
