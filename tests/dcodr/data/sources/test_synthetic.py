"""The rendered scenes against a pinhole projection, textbook solids and colorsys."""

import colorsys
import runpy

import numpy as np
import numpy.typing as npt
import pytest

from dcodr.data.sources import synthetic as module
from dcodr.data.sources.synthetic import (
    FACTORS,
    SYNTHETIC,
    draw_factors,
    read_synthetic,
    render,
    split_fractions,
)
from dcodr.errors import UserError

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FLOOR, WALL, OBJECT = range(3)
SHAPES = ["cube", "cylinder", "sphere", "capsule"]


def scene(**values: int) -> Ints:
    """One row of factors; those not named are 0."""
    return np.array([[values.get(name, 0) for name in FACTORS]])


def touched(scale: int = 0, shape: int = 0, orientation: int = 7) -> list[Mask]:
    """The pixels that a change to the complementary hue changes: of the floor, the wall and the object."""
    row = scene(scale=scale, shape=shape, orientation=orientation)
    (before,) = render(row)
    masks = []
    for surface in (FLOOR, WALL, OBJECT):
        changed = row.copy()
        changed[0, surface] = 5
        masks.append((render(changed)[0] != before).any(axis=2))
    return masks


def project(points: Floats, orientation: int) -> tuple[Floats, Floats]:
    """Row and column, in pixels, at which a pinhole camera sees points ``(n, 3)`` of the room."""
    angle = np.radians(-30 + 60 * orientation / 14)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    right, ahead = turn @ points[:, :2].T
    ahead = ahead + module.CAMERA_DISTANCE
    down = module.CAMERA_HEIGHT - points[:, 2]
    pitch = np.arctan2(module.CAMERA_HEIGHT - module.TARGET_HEIGHT, module.CAMERA_DISTANCE)
    depth = ahead * np.cos(pitch) + down * np.sin(pitch)
    below = down * np.cos(pitch) - ahead * np.sin(pitch)
    focal_length = 32 / np.tan(module.HALF_FIELD_OF_VIEW)
    return 32 + focal_length * below / depth, 32 + focal_length * right / depth


def points_inside(shape: str, scale: float) -> Floats:
    """Random points of a solid, by its textbook definition."""
    index = SHAPES.index(shape)
    radius, height = module.RADIUS[index], module.HEIGHT[index]
    points = np.random.default_rng(0).uniform([-radius, -radius, 0], [radius, radius, height], (200_000, 3))
    x, y, z = points.T
    inside = {
        "cube": np.full(len(points), True),
        "cylinder": x**2 + y**2 < radius**2,
        "sphere": x**2 + y**2 + (z - radius) ** 2 < radius**2,
        "capsule": x**2 + y**2 + (z - z.clip(radius, height - radius)) ** 2 < radius**2,
    }
    chosen: Floats = points[inside[shape]]
    return scale * chosen


def points_on_surface(shape: str, scale: float) -> tuple[Floats, Floats]:
    """Random points ``(n, 3)`` on a solid and their outward normals, by its textbook definition."""
    rng = np.random.default_rng(0)
    radius, height = module.RADIUS[SHAPES.index(shape)], module.HEIGHT[SHAPES.index(shape)]
    up = np.array([0, 0, 1])
    if shape == "cube":
        normals = np.eye(3)[rng.integers(3, size=500)] * rng.choice([-1, 1], (500, 1))
        points = rng.uniform([-radius, -radius, 0], [radius, radius, height], (500, 3))
        points = np.where(normals == 0, points, radius * normals + height / 2 * up)
    elif shape == "cylinder":
        angle, altitude = rng.uniform(0, 2 * np.pi, (500, 1)), rng.uniform(0, height, (500, 1))
        outward = np.hstack([np.cos(angle), np.sin(angle), 0 * angle])
        is_top = rng.random((500, 1)) < 0.5
        normals = np.where(is_top, up, outward)
        inset = np.where(is_top, rng.random((500, 1)), 1)
        points = radius * inset * outward + np.where(is_top, height, altitude) * up
    else:
        normals = rng.normal(size=(500, 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        points = radius * normals + np.where(normals[:, 2:] > 0, height - radius, radius) * up
    return scale * points, normals


def test_images_are_bytes_in_rgb() -> None:
    images = render(draw_factors(5, seed=0))
    assert images.shape == (5, 64, 64, 3)
    assert images.dtype == np.uint8
    assert render(np.empty((0, 6), dtype=np.int64)).shape == (0, 64, 64, 3)


def test_an_image_depends_on_its_factors_alone() -> None:
    factors = draw_factors(40, seed=1)
    images = render(factors)
    order = np.random.default_rng(2).permutation(40)
    np.testing.assert_array_equal(render(factors[order]), images[order])
    anew = runpy.run_path(module.__file__)["render"]  # remembers nothing of the images before
    one_by_one = np.concatenate([anew(row[None].astype(np.uint8)) for row in factors])
    np.testing.assert_array_equal(one_by_one, images)


@pytest.mark.parametrize("shape", range(4), ids=SHAPES)
@pytest.mark.parametrize("name", FACTORS)
def test_every_value_of_a_factor_gives_another_image(name: str, shape: int) -> None:
    rows = np.concatenate([scene(**{"shape": shape, name: value}) for value in range(FACTORS[name])])
    assert len(np.unique(render(rows), axis=0)) == FACTORS[name]


@pytest.mark.parametrize("shape", range(4), ids=SHAPES)
def test_floor_wall_and_object_share_only_their_borders(shape: int) -> None:
    floor, wall, solid = touched(shape=shape)
    surfaces = floor.astype(int) + wall + solid
    assert surfaces.min() == 1
    assert (surfaces > 1).mean() < 0.06
    assert (wall & ~floor & ~solid)[0].all()
    assert (floor & ~wall & ~solid)[-1].all()
    assert (solid & ~wall & ~floor)[36, 32]


@pytest.mark.parametrize("surface", [FLOOR, WALL, OBJECT])
def test_pixels_of_one_surface_ignore_the_hues_of_the_others(surface: int) -> None:
    masks = touched(scale=4, shape=3, orientation=11)
    others = [masks[other] for other in (FLOOR, WALL, OBJECT) if other != surface]
    rows = np.repeat(scene(scale=4, shape=3, orientation=11), 10, axis=0)
    rows[:, :3] = np.random.default_rng(0).integers(10, size=(10, 3))
    rows[:, surface] = 3
    pixels = render(rows)[:, ~np.logical_or(*others)]
    assert pixels.shape[1] > 100
    assert (pixels == pixels[0]).all()


@pytest.mark.parametrize("hue", range(10))
def test_pixels_have_the_hue_that_the_factors_state(hue: int) -> None:
    rows = np.concatenate(
        [scene(wall_hue=hue, floor_hue=(hue + 3) % 10, scale=7, orientation=turn) for turn in range(15)]
    )
    for row, stated in ((0, hue), (-1, (hue + 3) % 10)):
        corners = render(rows)[:, row, [0, -1]].reshape(-1, 3)
        for pixel in corners / 255:
            found, saturation, value = colorsys.rgb_to_hsv(*pixel)
            assert abs((found - stated / 10 + 0.5) % 1 - 0.5) < 0.005
            assert saturation > 0.99
            assert value >= module.AMBIENT - 0.01


@pytest.mark.parametrize("shape", range(4), ids=SHAPES)
def test_a_larger_scale_shows_more_of_the_object_and_less_of_the_wall(shape: int) -> None:
    masks = [touched(scale=scale, shape=shape) for scale in range(8)]
    assert (np.diff([solid.sum() for _, _, solid in masks]) > 0).all()
    walls = [wall.sum() for _, wall, _ in masks]
    assert (np.diff(walls) <= 0).all()
    assert walls[-1] < walls[0]


@pytest.mark.parametrize("orientation", [0, 5, 12])
@pytest.mark.parametrize("shape", SHAPES)
def test_silhouettes_agree_with_projected_points_of_the_solid(shape: str, orientation: int) -> None:
    _, _, solid = touched(scale=7, shape=SHAPES.index(shape), orientation=orientation)
    row, column = project(points_inside(shape, scale=1.25), orientation)
    projected = np.zeros((64, 64), dtype=bool)
    projected[row.astype(int), column.astype(int)] = True
    assert (projected != solid).sum() < 0.05 * solid.sum()


@pytest.mark.parametrize("orientation", [0, 1, 2, 12, 13, 14])
def test_the_corner_of_the_room_moves_with_the_orientation(orientation: int) -> None:
    floor, _, _ = touched(shape=2, orientation=orientation)
    side = -1 if orientation < 7 else 1
    row, column = project(np.array([[side * module.ROOM, module.ROOM, 0]]), orientation)
    far_end = floor.argmax(axis=0)
    assert far_end.min() == pytest.approx(row[0], abs=1.5)
    assert far_end[int(column[0])] == far_end.min()


@pytest.mark.parametrize("orientation", range(7))
def test_opposite_orientations_mirror_the_geometry(orientation: int) -> None:
    here = touched(orientation=orientation)
    opposite = touched(orientation=14 - orientation)
    for mask, mirrored in zip(here, opposite, strict=True):
        assert (mask != mirrored[:, ::-1]).sum() <= 4


@pytest.mark.parametrize("orientation", [0, 5, 12])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_object_is_lit_by_lamberts_law(shape: str, orientation: int) -> None:
    points, normals = points_on_surface(shape, scale=0.75)
    angle = np.radians(-30 + 60 * orientation / 14)
    aside, back = np.sin(angle) * module.CAMERA_DISTANCE, np.cos(angle) * module.CAMERA_DISTANCE
    to_camera = np.array([-aside, -back, module.CAMERA_HEIGHT]) - points
    seen = (normals * to_camera).sum(axis=1) > 0.1 * np.linalg.norm(to_camera, axis=1)
    points, normals = points[seen], normals[seen]
    to_light = module.LIGHT.T - points
    cosine = (normals * to_light).sum(axis=1) / np.linalg.norm(to_light, axis=1)
    expected = 255 * (module.AMBIENT + (1 - module.AMBIENT) * cosine.clip(0))
    row, column = project(points, orientation)
    factors = scene(shape=SHAPES.index(shape), orientation=orientation, floor_hue=5, wall_hue=5)
    (red,) = render(factors)[..., 0]
    pixels = row.astype(int), column.astype(int)
    floor, wall, solid = touched(shape=SHAPES.index(shape), orientation=orientation)
    unmixed = (solid & ~floor & ~wall)[pixels]
    error = np.abs(red[pixels] - expected)[unmixed]
    assert len(error) > 50
    assert np.quantile(error, 0.75) < 7  # the others lie at an edge or where brightness falls steeply


@pytest.mark.parametrize("orientation", [0, 4, 9])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_shadow_lies_where_the_light_projects_the_solid(shape: str, orientation: int) -> None:
    floor, wall, solid = touched(scale=7, shape=SHAPES.index(shape), orientation=orientation)
    points = points_inside(shape, scale=1.25)
    light = module.LIGHT[:, 0]
    row, column = project(light + (points - light) * light[2] / (light[2] - points[:, 2:]), orientation)
    projected = np.zeros((64, 64), dtype=bool)
    projected[row.astype(int), column.astype(int)] = True
    (red,) = render(scene(scale=7, shape=SHAPES.index(shape), orientation=orientation))[..., 0]
    only_floor = floor & ~solid & ~wall
    dark = only_floor & (red < 140)
    assert red[dark].min() == round(255 * module.AMBIENT)
    assert projected[dark].all()
    assert (dark != projected)[only_floor].mean() < 0.03


def test_borders_are_antialiased() -> None:
    floor, wall, solid = touched(scale=7, shape=2)
    (red,) = render(scene(floor_hue=5, wall_hue=5, scale=7, shape=2))[..., 0]
    border = red[solid & (floor | wall)].mean()
    assert border == pytest.approx(0.5 * red[solid & ~floor & ~wall].mean(), rel=0.2)


def test_all_scenes_can_be_drawn_each_once() -> None:
    factors = draw_factors(480_000, seed=3)
    assert (np.bincount(np.ravel_multi_index(tuple(factors.T), tuple(FACTORS.values()))) == 1).all()


def test_draws_are_uniform_seeded_and_grow_from_their_start() -> None:
    factors = draw_factors(20_000, seed=4)
    assert factors.dtype == np.int64
    for column, cardinality in zip(factors.T, FACTORS.values(), strict=True):
        share = np.bincount(column, minlength=cardinality) / len(column)
        standard_error = np.sqrt((1 - 1 / cardinality) / cardinality / len(column))
        np.testing.assert_allclose(share, 1 / cardinality, atol=4 * standard_error)
    np.testing.assert_array_equal(draw_factors(50, seed=4), factors[:50])
    assert (draw_factors(50, seed=5) != factors[:50]).any()


@pytest.mark.parametrize("n", [0, -3, 480_001])
def test_impossible_numbers_of_scenes_are_refused(n: int) -> None:
    with pytest.raises(UserError, match=rf"{n} images requested.*1\.\.480000"):
        draw_factors(n, seed=0)


def test_labels_belong_to_the_images_and_follow_the_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 20)
    done: list[tuple[int, int]] = []
    raw = read_synthetic(50, 6, lambda *numbers: done.append(numbers))
    images, domain, attributes = np.concatenate(list(raw.images)), raw.domain, raw.attributes
    assert done == [(20, 50), (40, 50), (50, 50)]
    assert SYNTHETIC.domain == "shape"
    assert [(a.name, a.cardinality) for a in SYNTHETIC.attributes] == [
        (name, cardinality) for name, cardinality in FACTORS.items() if name != "shape"
    ]
    assert list(attributes) == [attribute.name for attribute in SYNTHETIC.attributes]
    factors = draw_factors(50, seed=6)
    np.testing.assert_array_equal(
        np.stack([{**attributes, "shape": domain}[name] for name in FACTORS], axis=1), factors
    )
    np.testing.assert_array_equal(images, render(factors))


@pytest.mark.parametrize(
    ("n_images", "sizes"),
    [(80, (64, 8, 8)), (6000, (4800, 600, 600)), (8000, (4800, 1600, 1600)), (10_800, (4800, 3000, 3000)),
     (20_000, (14_000, 3000, 3000)), (60_000, (48_000, 6000, 6000))],
)  # fmt: skip
def test_thousands_are_held_out_as_long_as_train_keeps_its_size(
    n_images: int, sizes: tuple[int, ...]
) -> None:
    assert tuple(round(share * n_images) for share in split_fractions(n_images)) == sizes
