"""Holes that cement left in a body's mask and that take its wall with them: filled as far as the body's outline goes.

No line of sight meets a wall that is gone. But a body is convex in every section square to the canal: what lies
between two places of its wall, and between its endplates, is bone. Leaks bulge beyond that.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineAnatomy, SpineMasks, Vertebra
from leakseg.criteria import OutlineCriteria
from leakseg.findings import QualityNote
from leakseg.geometry import FloatArray, voxels_of
from leakseg.hull import along_directions, hull_support
from leakseg.pieces import ScanDensities
from leakseg.reach import cut_out, near, start_of, widened
from leakseg.volume import Volume, denser_than


def close_open_walls(
    volume: Volume,
    masks: SpineMasks,
    hollow: NDArray[np.uint8],
    spine: SpineAnatomy,
    densities: ScanDensities,
    criteria: OutlineCriteria,
) -> tuple[SpineMasks, tuple[QualityNote, ...]]:
    """The masks with what is dense beside holes filled before, within the outline of the body, and a note for each.

    ``hollow`` are the vertebrae before any hole was filled. Built-in masks are drawn with the cement in view: what
    they leave out is none of theirs.
    """
    if masks.from_builtin or not densities.has_cement:
        return masks, ()
    grid, dense_hu = masks.grid, densities.edge(densities.soft, 0.5)
    filled: NDArray[np.uint8] | None = None
    notes = []
    for vertebra in spine.vertebrae:
        box = masks.windows[vertebra.level]
        hole = (masks.vertebrae[box] == vertebra.level.number) & (hollow[box] == 0)
        if np.count_nonzero(hole) * grid.voxel_volume_mm3 < criteria.open_wall_min_mm3:
            continue
        room = widened(box, grid.shape, criteria.open_wall_reach_mm, grid.spacing_mm)
        beside = near(cut_out(hole, box, room), criteria.open_wall_reach_mm, grid.spacing_mm)
        beside &= masks.vertebrae[room] == 0
        if masks.canal is not None:
            beside &= ~masks.canal[room]
        index = voxels_of(beside & denser_than(volume.hu[room], dense_hu))
        suv = spine.axis.to_canal(grid.to_patient(index + start_of(room)))
        own = index[_inside_body(suv, vertebra, spine, criteria)]
        if not len(own):
            continue
        filled = masks.to_relabel() if filled is None else filled
        filled[room][tuple(own.T)] = vertebra.level.number
        volume_mm3 = len(own) * grid.voxel_volume_mm3
        notes.append(
            QualityNote(
                "mask_wall_closed",
                "info",
                f"The mask of {vertebra.level.value} lacked its wall beside a hole, as masks do where cement lies: "
                f"{volume_mm3:.0f} mm3 within the outline of the body were counted as bone.",
            )
        )
    return (masks if filled is None else replace(masks, vertebrae=filled)), tuple(notes)


def _inside_body(
    suv: FloatArray, vertebra: Vertebra, spine: SpineAnatomy, criteria: OutlineCriteria
) -> NDArray[np.bool_]:
    """Which points lie well between the endplates, before the posterior wall, and within the hull of their section."""
    middle = np.abs(vertebra.height_fraction(suv) - 0.5) < 0.5 - criteria.open_wall_endplate_share
    inside = middle & (spine.behind_wall_mm(suv) < 0)
    body = spine.body & (spine.bone == vertebra.level.number)
    rows = np.flatnonzero(body.any(axis=(1, 2)))
    if not len(rows):
        return np.zeros(len(suv), np.bool_)
    u, v = (axis[0] for axis in spine.lattice.sections())
    at = np.clip(np.rint(suv[:, 0] / spine.lattice.step_mm).astype(int), rows[0], rows[-1]) - rows[0]
    support = hull_support(body[rows[0] : rows[-1] + 1], u, v) + spine.lattice.step_mm / 2
    inside &= (along_directions(suv) <= support[:, at]).all(axis=0)
    return np.asarray(inside, dtype=np.bool_)
