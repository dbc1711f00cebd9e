"""The built-in masks on the real scans with weak bone, collapsed vertebrae, contrast and thicker slices.

    python benchmarks/builtin_weak.py [WORD ...]

Marrow from 60 to -40 HU, with the cortex as it is and thinned to 0.6 of its rise, in all of the skeleton that has a
mask; bodies and the discs above lower by 30 to 55 %, at marrow as it is and of 0 HU; contrast in the thecal sac, and
round the cord; slices of 2 to 3 times the thickness. The thoracic scan has no masks: it is compared with those drawn on
it unchanged. With words: only changes whose title holds one of them. Prints lines as builtin_variety.py does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from builtin_masks import DATA, draw, thoracic
from builtin_variety import judge
from changed_scans import Array, Case, body, lumbar, myelogram, places, sac, trunk, warped, windowed
from scipy.ndimage import distance_transform_edt, gaussian_filter

from leakseg.geometry import Grid
from leakseg.nifti import read_image

SKELETON = (*range(25, 51), *range(75, 79), *range(92, 116))
"""Labels of TotalSegmentator: vertebrae and sacrum, hips and thighs, ribs."""
CORTEX_MM, THINNED = (1.5, 3.0), 0.6
MARROW_HU = (60.0, 30.0, 0.0, -20.0, -40.0)
CONTRAST_HU = (200.0, 350.0, 500.0, 800.0)


def thorax() -> Case:
    """The thoracic scan with the masks drawn on it unchanged."""
    grid, array, _ = thoracic()
    drawn, _ = draw(grid, array)
    assert drawn is not None
    assert drawn.masks.canal is not None
    return Case(grid, array.astype(np.float32), drawn.masks.vertebrae, drawn.masks.canal, np.zeros(array.shape, bool))


def weakened(case: Case, skeleton: Array, marrow_hu: float, cortex: float) -> Case:
    """All marrow so dense, and the cortex with so much of its rise above 100 HU."""
    depth = distance_transform_edt(skeleton, sampling=case.mm) - case.mm.min() / 2
    usual = float(np.median(case.hu[(case.levels > 0) & (depth > CORTEX_MM[1])]))
    inner = np.clip((depth - CORTEX_MM[0]) / (CORTEX_MM[1] - CORTEX_MM[0]), 0, 1)
    hu = case.hu + inner * (marrow_hu - usual)
    near = gaussian_filter(skeleton.astype(np.float32), 1 / case.mm)
    return replace(case, hu=hu - near * (1 - cortex) * np.maximum(hu - 100, 0))


def collapsed(case: Case, levels: tuple[str, ...], loss: float) -> Case:
    """Bodies lower by a share, and all above moved down."""
    for level in levels:
        heights = np.argwhere(body(case, level))[:, 0] * case.mm[0]
        low, high = np.percentile(heights, (4, 96))
        z = np.arange(len(case.hu)) * case.mm[0]
        lost = loss * (high - low)
        source = np.where(z < low, z, np.where(z < high - lost, low + (z - low) / (1 - loss), z + lost))
        at = places(case)
        moved = warped(case, np.stack([np.broadcast_to(source[:, None, None], case.hu.shape), at[1], at[2]]))
        case = windowed(moved, (slice(0, int((source <= z[-1]).sum())), slice(None), slice(None)))
    return case


def thicker(case: Case, factor: int) -> Case:
    """So many slices averaged to one."""
    count = len(case.hu) // factor
    affine = case.grid.affine.copy()
    affine[:3, 3] += affine[:3, 0] * (factor - 1) / 2
    affine[:3, 0] *= factor
    hu = case.hu[: count * factor].reshape(count, factor, *case.hu.shape[1:]).mean(axis=1)
    rows = slice(factor // 2, count * factor, factor)
    return Case(Grid(hu.shape, affine), hu, case.levels[rows], case.canal[rows], case.ribs[rows])


def changes(case: Case, skeleton: Array, levels: tuple[str, str, str]) -> Iterator[tuple[str, Callable[[], Case]]]:
    """Titled changes; ``levels`` are three neighbours, caudal first."""
    yield "as it is", lambda: case
    for cortex in (1.0, THINNED):
        for hu in MARROW_HU:
            yield f"marrow {hu:.0f} HU, cortex {cortex}", partial(weakened, case, skeleton, hu, cortex)
    one, two = levels[1:2], levels[1:]
    for some, loss in ((one, 0.3), (one, 0.5), (two, 0.4), (two, 0.55), (levels, 0.45)):
        title = f"{' and '.join(some)} lower by {loss:.0%}"
        yield title, partial(collapsed, case, some, loss)
        yield (
            f"{title}, marrow 0 HU",
            lambda some=some, loss=loss: collapsed(weakened(case, skeleton, 0, 1), some, loss),
        )
    for hu in CONTRAST_HU:
        yield f"contrast of {hu:.0f} HU in the sac", partial(sac, case, hu)
        yield f"contrast of {hu:.0f} HU round the cord", partial(myelogram, case, hu)
    for factor in (2, 3):
        yield f"{factor} slices as one", partial(thicker, case, factor)


def main() -> None:
    _, parts = read_image(DATA / "totalsegmentator_ct/seg_total_v2.nii.gz")
    scans = (
        ("verse005", lumbar(), None, ("L4", "L3", "L2")),
        ("trunk", trunk(), np.isin(parts, SKELETON), ("L3", "L2", "L1")),
        ("thorax", thorax(), None, ("T10", "T9", "T8")),
    )
    for name, case, skeleton, levels in scans:
        for title, change in changes(case, case.levels > 0 if skeleton is None else skeleton, levels):
            text = f"{name}, {title}"
            if not sys.argv[1:] or any(word in text for word in sys.argv[1:]):
                other = change()
                judge(text, other, {int(n): float((other.levels == n).sum()) for n in np.unique(other.levels) if n})


if __name__ == "__main__":
    main()
