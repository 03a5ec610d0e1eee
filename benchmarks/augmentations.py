"""Augmentation throughput beside torchvision on single PIL images.

Run ``python benchmarks/augmentations.py --threads 2``. A batch of 128 random 64x64 images is augmented with
the given number of torch threads. The reference applies torchvision's transform image by image, PIL in and
PIL out (no conversion to tensors), in as many worker processes as there are threads, whose rates are added
up. A rate is that of the fastest batch within a second.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from dcodr.augmentation_names import AUGMENTATIONS, PAPER_SET
from dcodr.augmentations import Augment

BATCH, SIZE, SECONDS = 128, 64, 1.0

ERASING = v2.Compose([v2.PILToTensor(), v2.RandomErasing(p=1.0), v2.ToPILImage()])
REFERENCE: dict[str, Callable[[Image.Image], Image.Image]] = {
    "horizontal_flip": v2.RandomHorizontalFlip(p=1.0),
    "vertical_flip": v2.RandomVerticalFlip(p=1.0),
    "low_contrast": v2.ColorJitter(contrast=(0.3, 0.8)),
    "low_brightness": v2.ColorJitter(brightness=(0.3, 0.8)),
    "color_rotation": v2.RandomChoice([v2.ColorJitter(hue=(0.2, 0.5)), v2.ColorJitter(hue=(-0.5, -0.2))]),
    "random_erase": ERASING,
    "affine": v2.RandomAffine(degrees=40, fill=255),
    "grayscale": v2.RandomGrayscale(p=1.0),
    "crop": v2.RandomResizedCrop(SIZE, scale=(0.5, 1.0)),
    "high_brightness": v2.ColorJitter(brightness=(1.4, 1.8)),
    "high_contrast": v2.ColorJitter(contrast=(1.8, 3.0)),
    "high_saturation": v2.ColorJitter(saturation=(1.8, 3.0)),
    "gaussian_blur": v2.GaussianBlur(5, sigma=1.0),
    "simsiam": v2.Compose(
        [
            v2.RandomResizedCrop(SIZE, scale=(0.6, 1.0)),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.3),
            v2.RandomGrayscale(p=0.2),
            v2.RandomApply([v2.GaussianBlur(3, sigma=(1.0, 2.0))], p=0.2),
        ]
    ),
}
PAPER_ONE = "paper's four, one an image"
REFERENCE[PAPER_ONE] = v2.RandomChoice([REFERENCE[name] for name in PAPER_SET])


def best_rate(work: Callable[[], object]) -> float:
    """Images per second of ``work``, which handles one batch."""
    best, end = float("inf"), time.perf_counter() + SECONDS
    while (start := time.perf_counter()) < end:
        work()
        best = min(best, time.perf_counter() - start)
    return BATCH / best


def reference_rate(name: str) -> float:
    """Images per second of one torchvision worker."""
    torch.set_num_threads(1)
    pixels = np.random.default_rng(0).integers(0, 256, (BATCH, SIZE, SIZE, 3), dtype=np.uint8)
    images = [Image.fromarray(image) for image in pixels]
    transform = REFERENCE[name]
    return best_rate(lambda: [transform(image) for image in images])


def batched_rate(names: tuple[str, ...]) -> float:
    """Images per second of the batched augmentations."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(BATCH, 3, SIZE, SIZE, generator=generator)
    augment = Augment(names)
    return best_rate(lambda: augment(images, generator))


def main() -> None:
    """Print a line an augmentation: batched rate, reference rate, ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2, help="torch threads, and torchvision workers")
    threads = parser.parse_args().threads
    torch.set_num_threads(threads)
    print(f"images/s, {SIZE}x{SIZE}, batch {BATCH}, {threads} threads")
    print(f"{'':28}{'batched':>10}{'torchvision':>13}{'ratio':>8}")
    with ProcessPoolExecutor(threads) as workers:
        for name in (*AUGMENTATIONS, PAPER_ONE):
            reference = sum(workers.map(reference_rate, [name] * threads))
            batched = batched_rate(PAPER_SET if name == PAPER_ONE else (name,))
            print(f"{name:28}{batched:10,.0f}{reference:13,.0f}{batched / reference:7.1f}x", flush=True)


if __name__ == "__main__":
    main()
