"""How a spine lies in the scanner: the grid that holds it, and the patient space that the scan is told in.

A spine is built straight in its own space; a patient lies askew. So the grid is laid askew round the spine, everything
is sampled on it, and at the end grid and truth are turned together into the scanner's space (`settled`), where
slices are axial. A tilted gantry's slices make a right-angled grid that leans (see `leakseg.phantom.dicom_ct`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from leakseg.geometry import FloatArray, Grid
from leakseg.phantom.look import ScannerLook
from leakseg.phantom.plan import Phantom
from leakseg.phantom.spine import Spine

_CANAL_AT = 0.58
"""The origin's canal lies a bit behind the field's middle, for the bodies lie before it."""
_BODY_MM = 45.0


def grid_for(spine: Spine, look: ScannerLook) -> Grid:
    """A grid that holds the spine's bodies with a margin, in the spine's own space."""
    turn, (up, back, left) = turn_of(look), _axes(look.tilt_deg)
    reach = [
        float((turn @ (pose.origin + pose.axes[0] * end * pose.size.body_height_mm + lean)) @ up)
        for pose in spine.poses
        for end in (-0.5, 0.5)
        for lean in (0 * pose.axes[1], -_BODY_MM * pose.axes[1])
    ]
    above, below = spine.cut_mm or (look.margin_mm, look.margin_mm)
    low, high = min(reach) - below, max(reach) + above
    step = look.increment_mm * float(np.cos(np.deg2rad(look.tilt_deg)))
    slices = int(np.ceil((high - low) / step))
    rows, columns = (int(np.ceil(mm / look.pixel_mm)) for mm in (spine.field_mm or look.field_mm))
    drift = abs(look.increment_mm * np.sin(np.deg2rad(look.tilt_deg)) * (slices - 1) / look.pixel_mm)
    corner = np.array(
        [
            -(columns - 1) / 2 * look.pixel_mm - look.off_centre_mm[1],
            -_CANAL_AT * (rows - 1) * look.pixel_mm - look.off_centre_mm[0] - drift / 2 * look.pixel_mm,
            low,
        ]
    )
    corner = np.round(corner, 3)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([step * up, look.pixel_mm * back, look.pixel_mm * left], axis=1)
    affine[:3, 3] = corner if look.tilt_deg == 0 else corner[0] * left + corner[1] * back + corner[2] * up
    grid = Grid((slices, rows + int(np.ceil(drift)), columns), affine)
    return grid if look.turn_deg == (0.0, 0.0, 0.0) else turned(grid, turn.T)


def settled(phantom: Phantom, look: ScannerLook) -> Phantom:
    """The phantom told in the scanner's patient space; nothing is resampled."""
    phantom = replace(phantom, look=look)
    if look.turn_deg == (0.0, 0.0, 0.0):
        return phantom
    turn = turn_of(look)
    leaks = []
    for leak in phantom.leaks:
        x, y, z = (turn @ np.asarray(leak.centroid_mm)).tolist()
        leaks.append(replace(leak, centroid_mm=(x, y, z)))
    return replace(
        phantom,
        volume=replace(phantom.volume, grid=turned(phantom.volume.grid, turn)),
        masks=replace(phantom.masks, grid=turned(phantom.masks.grid, turn)),
        leaks=tuple(leaks),
    )


def turned(grid: Grid, turn: FloatArray) -> Grid:
    """The grid turned about the patient's origin."""
    affine = grid.affine.copy()
    affine[:3] = turn @ affine[:3]
    return Grid(grid.shape, affine.round(9), grid.frame_of_reference_uid)


def turn_of(look: ScannerLook) -> FloatArray:
    """Rotation from the spine's own space to the scanner's: about the long axis, to the side, forward."""
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_euler("zyx", look.turn_deg, degrees=True).as_matrix(), dtype=np.float64)


def _axes(tilt_deg: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Unit vectors square to the slices, down the rows and along the columns of slices that rise backward."""
    if tilt_deg == 0:
        return np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])
    sine, cosine = np.sin(np.deg2rad(tilt_deg)), np.cos(np.deg2rad(tilt_deg))
    return np.array([0.0, -sine, cosine]), np.array([0.0, cosine, sine]), np.array([1.0, 0.0, 0.0])
