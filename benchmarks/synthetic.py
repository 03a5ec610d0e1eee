"""Images rendered per second by ``dcodr.data.sources.synthetic``, on one thread.

    python -m benchmarks.synthetic

The cold run includes casting the rays of all 480 geometries; the warm run uses the cached results.
"""

import time

from dcodr.data.sources.synthetic import read_synthetic

N_IMAGES = 10_000


def main() -> None:
    """Render twice and print both rates."""
    for state in ("cold", "warm"):
        start = time.perf_counter()
        for _ in read_synthetic(N_IMAGES, seed=0).images:
            pass
        seconds = time.perf_counter() - start
        print(f"{state}: {N_IMAGES} images in {seconds:.2f} s, {N_IMAGES / seconds:.0f} images/s, 1 thread")


if __name__ == "__main__":
    main()
