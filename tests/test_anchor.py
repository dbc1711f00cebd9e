"""Anchors: one level pinned by its height, the others named after it."""

import numpy as np
import pytest

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.anchor import Anchor, apply_anchor, parse_anchor
from leakseg.errors import AnatomyError, ConfigError
from leakseg.geometry import Grid

# Bodies 20 mm high with 10 mm discs, from z = -500 upward; a spinous process hangs 20 mm lower than its body.
BODY, STEP = 20, 30


def spine(*levels, bodies=False, tilt_deg=0.0):
    """Masks at 1 mm with those levels from below upward."""
    shape = (len(levels) * STEP + 40, 60, 20)
    angle = np.deg2rad(tilt_deg)
    affine = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, -500], [0, 0, 0, 1]], float)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine[:3, :3] = turn @ affine[:3, :3]
    vertebrae = np.zeros(shape, np.uint8)
    drawn = np.zeros(shape, bool)
    for position, name in enumerate(levels):
        low, number = 30 + position * STEP, VertebraLevel(name).number
        vertebrae[low : low + BODY, 5:30, 3:17] = number
        drawn[low : low + BODY, 5:30, 3:17] = True
        vertebrae[low - 20 : low + 10, 45:55, 7:13] = number
    return SpineMasks(Grid(shape, affine), vertebrae, bodies=drawn if bodies else None)


def middle(position):
    return -500 + 30 + position * STEP + BODY / 2


def names(masks):
    return [str(level) for level in masks.levels()]


@pytest.mark.parametrize("bodies", [False, True])
@pytest.mark.parametrize("tilt_deg", [0.0, 8.0])
def test_the_body_at_that_height_takes_the_name_and_the_others_follow(bodies, tilt_deg):
    masks = spine("L4", "L3", "L2", bodies=bodies, tilt_deg=tilt_deg)
    renamed = apply_anchor(masks, Anchor(VertebraLevel.L2, middle(1)))
    assert names(renamed) == ["L1", "L2", "L3"]
    assert set(np.unique(renamed.vertebrae[masks.vertebrae == VertebraLevel.L4.number])) == {VertebraLevel.L3.number}
    assert renamed.label_confidence[VertebraLevel.L2] == 1.0


def test_a_spinous_process_that_hangs_beside_the_next_body_does_not_count():
    masks = spine("L4", "L3")
    assert names(apply_anchor(masks, Anchor(VertebraLevel.L4, middle(0)))) == ["L3", "L4"]


@pytest.mark.parametrize(
    ("levels", "anchor", "expected"),
    [
        (("L2", "L1", "T12"), "L1", ["T11", "T12", "L1"]),
        (("L5", "L4", "L3"), "L6", ["L4", "L5", "L6"]),
        (("L1", "T12"), "T13", ["T12", "T13"]),
        (("L1", "T13", "T12"), "L1", ["T12", "T13", "L1"]),
        (("T1", "C7"), "C7", ["C6", "C7"]),
        (("L4", "L2"), "L3", ["L1", "L3"]),
    ],
)
def test_names_keep_their_distances(levels, anchor, expected):
    assert names(apply_anchor(spine(*levels), Anchor(VertebraLevel(anchor), middle(0)))) == expected


def test_a_sacrum_stays_a_sacrum():
    renamed = apply_anchor(spine("S1", "L5", "L4"), Anchor(VertebraLevel.L6, middle(1)))
    assert names(renamed) == ["L5", "L6", "S1"]
    with pytest.raises(AnatomyError, match="sacrum"):
        apply_anchor(spine("S1", "L5"), Anchor(VertebraLevel.L5, middle(0)))


@pytest.mark.parametrize("height", [middle(0) + STEP / 2, -1000.0, 5000.0])
def test_a_height_without_a_body_is_refused_with_the_heights_there_are(height):
    with pytest.raises(AnatomyError, match=r"No vertebral body.*-470\.0 to -421\.0 mm"):
        apply_anchor(spine("L2", "L1"), Anchor(VertebraLevel.L1, height))


def test_a_name_beyond_the_spine_is_refused():
    with pytest.raises(AnatomyError, match="beyond C1"):
        apply_anchor(spine("L2", "C1"), Anchor(VertebraLevel.L1, middle(0)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L1@-412.5", Anchor(VertebraLevel.L1, -412.5)),
        ("case-7:L1@-412.5", Anchor(VertebraLevel.L1, -412.5, "case-7")),
        ("a:b@c:t12@3", Anchor(VertebraLevel.T12, 3.0, "a:b@c")),
    ],
)
def test_an_anchor_is_read_as_written(text, expected):
    assert parse_anchor(text) == expected
    assert parse_anchor(str(expected)) == expected


@pytest.mark.parametrize("text", ["", "L1", "@3", "L1@", "L9@3", "L1@nan", "L1@inf", ":L1@3", "L1@3mm", "L1 @ x"])
def test_an_anchor_of_another_form_is_told(text):
    with pytest.raises(ConfigError, match=r"\[CASE:\]LEVEL@Z"):
        parse_anchor(text)
