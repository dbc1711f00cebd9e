"""Endplates follow the image; where cement hides them, they go on as they curve."""

from __future__ import annotations

import numpy as np

from leakseg.providers.builtin.plates import REACH, _surface

SHAPE = (30, 40)
V, U = np.meshgrid(np.linspace(-1, 1, SHAPE[1]), np.linspace(-1, 1, SHAPE[0]))
DISHED_MM = 4 + 4 * (1 - V**2 - U**2).clip(0)
"""A biconcave fracture's endplate: farthest from the disc's middle in the centre."""
HEIGHT = np.arange(REACH + 1.0)
PLATE = (DISHED_MM[..., None] <= HEIGHT) & (DISHED_MM[..., None] + 2 > HEIGHT)
HU = np.where(PLATE, 450, np.where(DISHED_MM[..., None] < HEIGHT, 150, 80)).astype(np.float32)
DISC_HU, INSIDE = np.full(SHAPE, 80.0), np.ones(SHAPE, bool)


def test_an_endplate_lies_where_it_rises_from_the_disc() -> None:
    found = _surface(HU, DISC_HU, INSIDE, np.zeros(HU.shape, bool), 1.0)
    assert np.abs(found - DISHED_MM).mean() < 0.6


def test_under_cement_in_the_disc_a_dished_endplate_stays_dished() -> None:
    cement = ((np.hypot(V, U) < 0.45)[..., None]) & (HEIGHT > 2)
    found = _surface(np.where(cement, np.float32(580), HU), DISC_HU, INSIDE, cement, 0.0)
    middle = np.hypot(V, U) < 0.3
    assert np.abs(found[middle] - DISHED_MM[middle]).mean() < 1.0


def test_under_cement_that_fills_the_body_thick_slices_give_it_their_doubtful_half() -> None:
    cement = ((np.hypot(V, U) < 0.45)[..., None]) & (DISHED_MM[..., None] - 1 < HEIGHT)
    hu = np.where(cement, np.float32(580), HU)
    sharp, thick = (_surface(hu, DISC_HU, INSIDE, cement, unsure_mm) for unsure_mm in (0.0, 2.0))
    middle, seen = np.hypot(V, U) < 0.3, np.hypot(V, U) > 0.7
    assert np.allclose(sharp[middle] - thick[middle], 2.0, atol=0.3)
    assert np.allclose(sharp[seen], thick[seen], atol=0.7)


def test_the_dense_endplate_of_a_thick_slice_carries_a_body_no_farther_into_its_disc() -> None:
    """Of a disc of 80, a plate of 450 and marrow of 150 HU, averaged over 5 mm, wherever the slices happen to lie."""
    fine = np.arange(-10, 40, 0.1)
    hu = np.select([fine < 5, fine < 6.5], [80.0, 450.0], 150.0)
    found = []
    for start in np.arange(-10.0, -5.0, 0.5):
        centres = np.arange(start + 2.5, 37, 5)
        means = [hu[np.abs(fine - centre) < 2.5].mean() for centre in centres]
        column = np.interp(HEIGHT, centres, means).astype(np.float32)
        columns = np.broadcast_to(column, (*SHAPE, len(column)))
        surface = _surface(columns, DISC_HU, INSIDE, np.zeros(columns.shape, bool), 2.0)
        found.append(float(np.median(surface)))
    assert abs(np.mean(found) - 5) < 0.9
