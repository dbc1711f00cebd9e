"""Matter inside the vertebra masks that may be cement: the outlines are rebuilt without it, and what stays is told."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.allocator import untouched
from leakseg.anatomy import SpineAnatomy, SpineMasks, VertebraLevel
from leakseg.criteria import CementCriteria, OutlineCriteria
from leakseg.dense_pieces import plainly_denser
from leakseg.findings import QualityNote
from leakseg.geometry import FloatArray, bounding_box, voxels_of
from leakseg.pieces import ScanDensities
from leakseg.reach import Pieces, connected_pieces, near, pieces_of, relative_to
from leakseg.volume import Volume, denser_inside, denser_than

_MOST = 0.5


def cement_in_masks(
    volume: Volume,
    labels: NDArray[np.uint8],
    densities: ScanDensities,
    spine: SpineAnatomy,
    criteria: CementCriteria,
    outline: OutlineCriteria,
) -> NDArray[np.bool_]:
    """Cement beyond doubt, what is as dense and near to it, and what is as dense and large.

    Parameters
    ----------
    labels
        ``(k, j, i)`` vertebra masks in the window of ``densities``.

    Returns
    -------
    numpy.ndarray
        ``(k, j, i)`` mask.
    """
    hu = volume.hu[densities.window]
    pieces = Pieces.of(denser_inside(hu, _limit_hu(densities, criteria, outline), labels, densities.metal))
    sure = pieces.mask(pieces.holding(densities.seeds))
    beside = pieces.holding(near(sure, criteria.contact_mm, densities.grid.spacing_mm))
    dense = pieces.values(hu) > densities.edge(densities.cortex, criteria.edge_share)
    cement = pieces.mask(beside)
    cement |= _large(pieces.mask(dense & ~beside), hu, densities, spine, criteria, outline)
    return cement


def _limit_hu(densities: ScanDensities, criteria: CementCriteria, outline: OutlineCriteria) -> float:
    """What is denser than this is denser than cancellous bone and cortex, if only by little."""
    deep_hu = densities.edge(densities.cancellous, criteria.edge_share)
    return max(deep_hu, densities.edge(densities.cortex, outline.denser_share))


def doubt_dense_matter(
    volume: Volume,
    masks: SpineMasks,
    densities: ScanDensities,
    spine: SpineAnatomy,
    inner: NDArray[np.bool_],
    criteria: CementCriteria,
    outline: OutlineCriteria,
) -> tuple[QualityNote, ...]:
    """A note for each large piece in the masks as dense as cement that no cement inside bone goes on into.

    Parameters
    ----------
    masks
        On the volume's grid.
    inner
        Cement inside bone in the window of ``densities``.
    """
    box = relative_to(masks.block, densities.window)
    densities, inner = densities.crop(box), inner[box]
    window, vertebrae = densities.window, masks.vertebrae
    limit_hu = _limit_hu(densities, criteria, outline)
    pieces = Pieces.of(denser_inside(volume.hu[window], limit_hu, vertebrae[window], densities.metal))
    apart = pieces.mask(~pieces.holding(inner))
    alone = _large(apart, volume.hu[window], densities, spine, criteria, outline)
    index = voxels_of(alone)
    if not len(index):
        return ()
    owner, points = connected_pieces(alone)[tuple(index.T)], densities.grid.to_patient(index)
    levels = vertebrae[window][tuple(index.T)]
    return tuple(_note(levels[owner == piece], points[owner == piece], densities) for piece in np.unique(owner))


def _note(levels: NDArray[np.uint8], points: FloatArray, densities: ScanDensities) -> QualityNote:
    level = VertebraLevel.from_number(int(np.bincount(levels).argmax()))
    x, y, z = points.mean(axis=0)
    return QualityNote(
        "dense_matter_in_mask",
        "warning",
        f"{len(points) * densities.grid.voxel_volume_mm3:.0f} mm3 as dense as cement at x {x:.0f}, y {y:.0f}, "
        f"z {z:.0f} mm (LPS) lie in the mask of {level.value}, apart from the cement inside it, and were not counted: "
        "where that mask takes in what lies outside the bone, this is a leak that was missed; look at it.",
    )


def _large(
    alone: NDArray[np.bool_],
    hu: NDArray[Any],
    densities: ScanDensities,
    spine: SpineAnatomy,
    criteria: CementCriteria,
    outline: OutlineCriteria,
) -> NDArray[np.bool_]:
    """Large pieces: before the posterior walls little bone is denser than cortex; behind them facets and laminae are.

    There, and of smaller pieces, those count that are nearer to cement than to cortex: what lies in the canal, and in
    scans whose cement is plainly denser than cortex any.
    """
    large = untouched(alone.shape)
    box = bounding_box(alone)
    if box is None:
        return large
    alone, hu, densities = alone[box], hu[box], densities.crop(box)
    voxel_mm3, thick = densities.grid.voxel_volume_mm3, max(densities.grid.spacing_mm) >= criteria.thick_voxel_mm
    found = pieces_of(alone, outline.alone_mm3, voxel_mm3)
    index = voxels_of(found)
    behind = spine.behind_wall_mm(spine.axis.to_canal(densities.grid.to_patient(index))) > 0
    found[tuple(index[behind].T)] = False
    found = pieces_of(found, outline.alone_mm3, voxel_mm3)
    edge = densities.edge(densities.cortex, criteria.edge_share)
    least_mm3 = outline.alone_mm3 if thick else outline.alone_denser_mm3
    denser = pieces_of(alone & denser_than(hu, edge), least_mm3, voxel_mm3)
    if not plainly_denser(densities.share(edge), criteria):
        index = voxels_of(denser)
        owner = connected_pieces(denser)[tuple(index.T)]
        canal = spine.lattice.lookup(spine.canal, spine.axis.to_canal(densities.grid.to_patient(index)))
        mostly = np.bincount(owner, weights=canal) >= _MOST * np.bincount(owner)
        denser[tuple(index[~mostly[owner]].T)] = False
    large[box] = found | denser
    return large
