"""What was filled in masks and is cement in a foramen, which is open to the canal."""

import numpy as np
import pytest
from scipy import ndimage

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.criteria import Criteria
from leakseg.stages.foramina import leave_foramina_open
from leakseg.tracing import trace_canal


def places(spine):
    """A pedicle's inside and the foramen below it, where the notch's own bone leaves no sight but to the canal."""
    z, side = spine.middle_z("L3"), spine.half_canal_mm + spine.pedicle_width_mm / 2
    in_pedicle, in_foramen = (side, 0.0, z + 6.0), (side, 0.0, z - 5.0)
    return {"pedicle": spine.ball(in_pedicle, 2.5), "foramen": spine.ball(in_foramen, 3.5)}


def left_open(spine, place, hu, levels=("L2", "L3", "L4")):
    """What of a filled place is given back, and the notes."""
    bone = spine.masks().vertebrae
    bone = np.where(np.isin(bone, [VertebraLevel(level).number for level in levels]), bone, 0)
    filled = ndimage.binary_closing(places(spine)[place])
    hollow = SpineMasks(spine.grid, np.where(filled, 0, bone).astype(np.uint8), canal=spine.masks().canal)
    own = VertebraLevel.L3.number
    whole = SpineMasks(spine.grid, np.where(filled, own, bone).astype(np.uint8), canal=spine.masks().canal)
    space = trace_canal(whole, Criteria())
    masks, notes = leave_foramina_open(spine.volume(other=((filled, hu),)), hollow, whole, space, Criteria().cement)
    assert np.array_equal((masks.vertebrae > 0) | filled, whole.vertebrae > 0)
    return (masks.vertebrae == 0)[filled].mean(), [note.code for note in notes]


def test_cement_in_a_foramen_is_given_back(spine):
    assert left_open(spine, "foramen", 1800) == (1.0, ["foramen_left_open"])


@pytest.mark.parametrize(
    ("place", "hu"), [("pedicle", 1800), ("foramen", 700)], ids=["cement inside bone", "bone outside a narrow mask"]
)
def test_what_bone_surrounds_or_is_no_denser_than_bone_stays_filled(spine, place, hu):
    assert left_open(spine, place, hu) == (0.0, [])


def test_of_two_vertebrae_nothing_tells_whose_bone_is_the_usual_one(spine):
    assert left_open(spine, "foramen", 1800, levels=("L2", "L3")) == (0.0, [])
