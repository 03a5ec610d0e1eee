"""Rendered scenes like those of Shapes3D: the embedded default dataset, which needs no download.

One solid stands on the floor of a square room; a camera circles it. The six factors, their order and
cardinalities are those of Shapes3D (Burgess & Kim 2018, https://github.com/google-deepmind/3d-shapes). Each
of the 480 combinations of scale, shape and orientation is ray cast once, into layers with the brightness of
floor, wall and object in every pixel. An image is the sum of its layers, each multiplied by its colour. All
numbers are integers, so the same factors always give the same bytes.

The unit of length is the edge of the cube at scale 1; x points right along the far wall, y towards it, z up.
"""

import colorsys
import math
from collections.abc import Iterator
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dcodr.data.dataset import Attribute, DatasetSpec, Images, RawDataset, stratified_split
from dcodr.data.sources.images import SIZE, Progress
from dcodr.errors import UserError

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

FACTORS: dict[str, int] = {
    "floor_hue": 10,
    "wall_hue": 10,
    "object_hue": 10,
    "scale": 8,
    "shape": 4,
    "orientation": 15,
}
SYNTHETIC = DatasetSpec(
    name="synthetic",
    domain="shape",
    domains=("cube", "cylinder", "sphere", "capsule"),
    attributes=tuple(
        Attribute(name, cardinality, cyclic=name.endswith("_hue"))
        for name, cardinality in FACTORS.items()
        if name != "shape"
    ),
)
N_SCENES = math.prod(FACTORS.values())
N_TRAIN, N_SCORED = 4_800, 3_000
N_IMAGES = N_TRAIN + 2 * N_SCORED
"""Number of images by default."""
CHUNK = 512

CUBE, CYLINDER, SPHERE, CAPSULE = range(FACTORS["shape"])
RADIUS = {CUBE: 0.5, CYLINDER: 0.5, SPHERE: 0.6, CAPSULE: 0.42}
HEIGHT = {CUBE: 1.0, CYLINDER: 1.15, SPHERE: 1.2, CAPSULE: 1.5}
SCALES = np.linspace(0.75, 1.25, FACTORS["scale"])
ANGLES = np.radians(np.linspace(-30, 30, FACTORS["orientation"]))

ROOM = 3.0  # distance of each wall from the centre
CAMERA_DISTANCE, CAMERA_HEIGHT, TARGET_HEIGHT = 3.6, 1.7, 0.75
HALF_FIELD_OF_VIEW = math.radians(23)
LIGHT = np.array([-0.7, -1.8, 4.0])[:, None]
AMBIENT = 0.4
SUPERSAMPLING = 2

# The channels of the ten hues are multiples of 1/5. With brightness in units of 1 / FULL, brightness x fifths
# is 256 times the pixel's value and fits into 16 bits.
FULL = 255 * 256 // 5
FIFTHS = np.array(
    [[round(5 * channel) for channel in colorsys.hsv_to_rgb(hue / 10, 1, 1)] for hue in range(10)],
    dtype=np.uint16,
)


def draw_factors(n: int, seed: int) -> Ints:
    """Draw distinct scenes uniformly; a smaller draw with the same seed is a prefix of a larger one.

    Args:
        n: Number of scenes, 1..480,000.
        seed: Seed of the draw.

    Returns:
        ``(n, 6)`` factor values in the order of ``FACTORS``.

    Raises:
        UserError: If ``n`` is out of this range.
    """
    if not 1 <= n <= N_SCENES:
        raise UserError(
            f"synthetic: {n} images requested, but there are {N_SCENES} different ones: choose 1..{N_SCENES}"
        )
    scenes = np.random.default_rng(seed).permutation(N_SCENES)[:n]
    return np.stack(np.unravel_index(scenes, tuple(FACTORS.values())), axis=1)


def render(factors: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
    """Render one image for each row of factor values.

    Args:
        factors: ``(n, 6)`` integers in the order of ``FACTORS``, each in ``0..cardinality-1``.

    Returns:
        ``(n, 64, 64, 3)`` RGB.
    """
    images = np.empty((len(factors), SIZE * SIZE, 3), dtype=np.uint8)
    for image, (*hues, scale, shape, orientation) in zip(images, factors.tolist(), strict=True):
        image[:] = (_layers(scale, shape, orientation) @ FIFTHS[hues] + 128) >> 8
    return images.reshape(-1, SIZE, SIZE, 3)


def read_synthetic(n_images: int, seed: int, on_progress: Progress | None = None) -> RawDataset:
    """Draw and render a dataset.

    Args:
        n_images: Number of different scenes, 1..480,000.
        seed: Seed of the draw and of the splits.
        on_progress: Called with the number of images rendered so far, and of all images.

    Returns:
        Images in chunks ``(<= 512, 64, 64, 3)``; a domain is a shape.

    Raises:
        UserError: If ``n_images`` is out of this range.
    """
    factors = draw_factors(n_images, seed)
    labels = {name: np.ascontiguousarray(column) for name, column in zip(FACTORS, factors.T, strict=True)}
    domain = labels.pop(SYNTHETIC.domain)
    source = "rendered by dcodr.data.sources.synthetic"
    split = stratified_split(domain, seed, split_fractions(n_images))
    return RawDataset(SYNTHETIC, _rendered(factors, on_progress), domain, labels, source, split)


def split_fractions(n_images: int) -> tuple[float, float, float]:
    """Return the shares of train, validation and test: 8 to 1 to 1, with a large validation and test split.

    These two get up to 3,000 images each, as long as 4,800 remain for training: metrics of few scored images
    are too noisy to tell trials apart (``benchmarks/noise.py``), and rendered images cost nothing.
    """
    held_out = max(0.1 * n_images, min(N_SCORED, (n_images - N_TRAIN) / 2)) / n_images
    return 1 - 2 * held_out, held_out, held_out


def _rendered(factors: Ints, on_progress: Progress | None) -> Iterator[Images]:
    for start in range(0, len(factors), CHUNK):
        yield render(factors[start : start + CHUNK])
        if on_progress:
            on_progress(min(start + CHUNK, len(factors)), len(factors))


@cache
def _layers(scale: int, shape: int, orientation: int) -> npt.NDArray[np.uint16]:
    """Return ``(64 * 64, 3)`` brightness of floor, wall and object in each pixel, in units of 1 / FULL."""
    # 1. Find the surface that each ray meets.
    size = SCALES[scale]
    camera, rays = _camera(ANGLES[orientation])
    distance, normals = _room(camera, rays)
    # The unit solid, seen from 1 / size of the distance, looks like the scaled one.
    object_distance = size * _enter(shape, camera / size, rays)
    is_object = object_distance < distance
    is_floor = ~is_object & (normals[2] > 0)

    # 2. Light the surface points. Only the floor can lie in the solid's shadow.
    points = camera + rays * np.where(is_object, object_distance, distance)
    normals[:, is_object] = _normal(shape, points[:, is_object] / size)
    to_light = _unit(LIGHT - points)
    diffuse = np.maximum(np.sum(normals * to_light, axis=0), 0)
    in_shadow = np.isfinite(_enter(shape, points[:, is_floor] / size, to_light[:, is_floor]))
    diffuse[is_floor] *= ~in_shadow
    brightness = AMBIENT + (1 - AMBIENT) * diffuse

    # 3. Average the samples of each pixel, separately for floor, wall and object.
    samples = brightness * np.stack([is_floor, ~is_floor & ~is_object, is_object])
    layers = samples.reshape(3, SIZE, SUPERSAMPLING, SIZE, SUPERSAMPLING).mean(axis=(2, 4))
    return np.ascontiguousarray(np.round(FULL * layers).astype(np.uint16).reshape(3, -1).T)


def _camera(angle: float) -> tuple[Floats, Floats]:
    """Return the camera's position ``(3, 1)`` and unit rays ``(3, rays)`` of the samples, row by row."""
    sine, cosine = math.sin(angle), math.cos(angle)
    position = _column(-CAMERA_DISTANCE * sine, -CAMERA_DISTANCE * cosine, CAMERA_HEIGHT)
    forward = _unit(_column(0, 0, TARGET_HEIGHT) - position)
    right = _column(cosine, -sine, 0)
    up = np.cross(right, forward, axis=0)
    samples = SIZE * SUPERSAMPLING
    offsets = math.tan(HALF_FIELD_OF_VIEW) * ((np.arange(samples) + 0.5) * 2 / samples - 1)
    return position, _unit(forward + right * np.tile(offsets, samples) - up * np.repeat(offsets, samples))


def _room(origin: Floats, rays: Floats) -> tuple[Floats, Floats]:
    """Return each ray's distance ``(rays,)`` to the floor or wall, and inward normals ``(3, rays)`` there."""
    bounds = [(-ROOM, ROOM), (-ROOM, ROOM), (0, math.inf)]
    leave = np.stack([_slab(origin, rays, axis, *bounds[axis])[1] for axis in range(3)])
    return leave.min(axis=0), -np.eye(3)[:, leave.argmin(axis=0)] * np.sign(rays)


def _enter(shape: int, origin: Floats, rays: Floats) -> Floats:
    """Return the distance ``(rays,)`` to the solid of scale 1, infinite for a ray that misses it."""
    radius, height = RADIUS[shape], HEIGHT[shape]
    if shape == CUBE:
        sides = [_slab(origin, rays, axis, -radius, radius) for axis in (0, 1)]
        return _overlap(*sides, _slab(origin, rays, 2, 0, height))
    column = _ball(origin[:2], rays[:2], radius)
    if shape == CYLINDER:
        return _overlap(column, _slab(origin, rays, 2, 0, height))
    # A sphere or a capsule: two balls, with a cylinder between them. The sphere's is of length 0.
    low, high = radius, height - radius
    trunk = _overlap(column, _slab(origin, rays, 2, low, high))
    ends = [_overlap(_ball(origin - _column(0, 0, centre), rays, radius)) for centre in (low, high)]
    return np.minimum(trunk, np.minimum(*ends))


def _normal(shape: int, points: Floats) -> Floats:
    """Return outward unit normals ``(3, n)`` at points on the solid of scale 1."""
    radius, height = RADIUS[shape], HEIGHT[shape]
    if shape == CUBE:
        from_centre = points - _column(0, 0, height / 2)
        return np.eye(3)[:, np.abs(from_centre).argmax(axis=0)] * np.sign(from_centre)
    if shape == CYLINDER:
        is_top = points[2] > height - 1e-9
        return np.where(is_top, _column(0, 0, 1), points * _column(1, 1, 0) / radius)
    nearest_on_axis: Floats = _column(0, 0, 1) * points[2].clip(radius, height - radius)
    return (points - nearest_on_axis) / radius


def _slab(origin: Floats, rays: Floats, axis: int, low: float, high: float) -> tuple[Floats, Floats]:
    """Return the distances at which rays enter and leave the space between two planes across an axis."""
    first = (low - origin[axis]) / rays[axis]
    second = (high - origin[axis]) / rays[axis]
    return np.minimum(first, second), np.maximum(first, second)


def _ball(origin: Floats, rays: Floats, radius: float) -> tuple[Floats, Floats]:
    """Return the distances at which rays enter and leave a ball around 0; equal for a ray that misses it."""
    squared = np.sum(rays**2, axis=0)
    middle = -np.sum(origin * rays, axis=0) / squared
    half = np.sqrt(np.maximum(middle**2 - (np.sum(origin**2, axis=0) - radius**2) / squared, 0))
    return middle - half, middle + half


def _overlap(*intervals: tuple[Floats, Floats]) -> Floats:
    """Return the distance at which rays enter the intersection of intervals, infinite if it is empty."""
    enter = np.maximum.reduce([interval[0] for interval in intervals])
    leave = np.minimum.reduce([interval[1] for interval in intervals])
    return np.where(enter < leave, enter, np.inf)


def _column(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)[:, None]


def _unit(vectors: Floats) -> Floats:
    lengths: Floats = np.sqrt(np.sum(vectors**2, axis=0))
    return vectors / lengths
