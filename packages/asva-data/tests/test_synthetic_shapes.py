"""Distances, poses and the way they become pixels."""

import numpy as np
import pytest

from asva_data.synthetic.poses import chain, inverse, shift, stretch, turn
from asva_data.synthetic.raster import affine_motion, draw
from asva_data.synthetic.shapes import block, capsule, circle, clipped, ellipse, polygon, union

INKY = (10.0, 20.0, 30.0)
ANGLES = np.array([0.0, 0.4, -1.1])


def at(shape, x, y):
    return float(shape.distance(np.array([x], np.float32), np.array([y], np.float32))[0])


@pytest.mark.parametrize(
    ("shape", "point", "expected"),
    [
        (circle(1.0, 0.0, 0.5, INKY), (2.0, 0.0), 0.5),
        (circle(1.0, 0.0, 0.5, INKY), (1.0, 0.0), -0.5),
        (ellipse(0.0, 0.0, 2.0, 1.0, INKY), (2.0, 0.0), 0.0),
        (ellipse(0.0, 0.0, 2.0, 1.0, INKY, np.pi / 2), (0.0, 2.0), 0.0),
        (capsule((0.0, 0.0), (2.0, 0.0), 0.25, INKY), (1.0, 1.0), 0.75),
        (capsule((0.0, 0.0), (2.0, 0.0), 0.25, INKY), (3.0, 0.0), 0.75),
        (block(-1.0, -1.0, 1.0, 1.0, INKY, 0.0), (0.0, 1.5), 0.5),
        (block(-1.0, -1.0, 1.0, 1.0, INKY, 0.0), (2.0, 2.0), np.sqrt(2.0)),
        (polygon([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)], INKY), (0.5, 0.75), -0.25),
        (polygon([(0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 0.0)], INKY), (0.5, 1.5), 0.5),
        (union((circle(0.0, 0.0, 1.0, INKY), circle(3.0, 0.0, 1.0, INKY))), (3.0, 1.5), 0.5),
        (clipped(circle(0.0, 0.0, 1.0, INKY), block(0.0, -2.0, 2.0, 2.0, INKY, 0.0)), (-0.5, 0.0), 0.5),
    ],
)
def test_distance_by_hand(shape, point, expected):
    assert at(shape, *point) == pytest.approx(expected, abs=1e-5)


def test_the_inverse_undoes_a_chain():
    there = chain(shift(stretch(1.0 + ANGLES**2, 2.0 - ANGLES, (1.0, -2.0)), 3.0, 0.5), turn(ANGLES, (0.3, -0.7)))
    identity = np.broadcast_to(np.eye(2, 3), (3, 2, 3))
    np.testing.assert_allclose(chain(inverse(there), there), identity, atol=1e-12)


def test_pivot_and_anchor_stay_where_they_are():
    for affine in (turn(ANGLES, (0.3, -0.7)), stretch(ANGLES + 2, ANGLES + 3, (0.3, -0.7))):
        moved = affine @ np.array([0.3, -0.7, 1.0])
        np.testing.assert_allclose(moved, np.broadcast_to([0.3, -0.7], (3, 2)), atol=1e-12)


def test_positive_angles_turn_clockwise_on_the_screen():
    right = turn(np.array([np.pi / 2]), (0.0, 0.0)) @ np.array([1.0, 0.0, 1.0])
    np.testing.assert_allclose(right[0], [0.0, 1.0], atol=1e-12)  # y points down


def test_a_drawn_disc_has_its_area_and_smooth_edges():
    canvas = np.zeros((3, 1, 40, 40), np.float32)
    place = np.array([[[10.0, 0.0, 20.3], [0.0, 10.0, 19.6]]])
    covered = draw(canvas, (0, 0), circle(0.0, 0.0, 1.0, (100.0, 0.0, 0.0)).plain(), place, 1.0)
    assert canvas[0].sum() / 100.0 == pytest.approx(np.pi * 100.0, rel=0.01)
    assert covered.sum() == pytest.approx(np.pi * 100.0, rel=0.03)
    assert ((canvas[0] > 1.0) & (canvas[0] < 99.0)).sum() > 30


def test_what_lies_outside_the_canvas_is_not_drawn():
    canvas = np.zeros((3, 1, 8, 8), np.float32)
    place = np.array([[[1.0, 0.0, 30.0], [0.0, 1.0, 4.0]]])
    assert draw(canvas, (0, 0), circle(0.0, 0.0, 1.0, INKY), place, 1.0) is None
    assert not canvas.any()


def test_affine_motion_equals_a_loop_over_pixels():
    rng = np.random.default_rng(0)
    affine = chain(
        shift(turn(ANGLES, (1.0, 2.0)), 2.0 * ANGLES, ANGLES**2), stretch(ANGLES + 2, ANGLES + 2, (0.0, 0.0))
    )
    covered = rng.random((2, 5, 6)) < 0.5
    expected = np.zeros(2)
    for frame in range(2):
        for row, column in np.argwhere(covered[frame]):
            here = np.array([column + 3.5, row + 1.5])
            local = np.linalg.solve(affine[frame, :, :2], here - affine[frame, :, 2])
            there = affine[frame + 1, :, :2] @ local + affine[frame + 1, :, 2]
            expected[frame] += np.abs(there - here).sum()
    np.testing.assert_allclose(affine_motion(affine, covered, (3, 1)), expected, rtol=1e-5)
