"""Known cement put into a scan through its masks: the one door by which cement gets into any phantom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks
from leakseg.errors import GeometryError
from leakseg.geometry import Grid
from leakseg.phantom.casting import cast
from leakseg.phantom.look import ScannerLook
from leakseg.phantom.plan import CementTruth, ImplantPlan, LeakTruth, Phantom
from leakseg.phantom.raster import coarsen
from leakseg.phantom.scanner import put_cement, spoil, texture, to_stored
from leakseg.phantom.sculpt import Block
from leakseg.phantom.site import Ground, bone_from_mask
from leakseg.phantom.survey import Survey, survey
from leakseg.volume import Volume

FINE_STEP_MM = 0.5
"""Truth is sampled at least this finely, with cover fractions within each sample."""


def implant(volume: Volume, masks: SpineMasks, plan: ImplantPlan, rng: np.random.Generator) -> Phantom:
    """Put the plan's cement into a scan.

    Parameters
    ----------
    volume, masks
        A scan without cement and its masks, on one grid; a canal or a cord mask is needed.
    plan
        What is wanted.
    rng
        The only source of chance: the same state gives the same phantom.

    Returns
    -------
    Phantom
        The scan with cement, and the truth.

    Raises
    ------
    GeometryError
        Where scan and masks stand on different grids.
    AnatomyError
        Where a level is not whole in the masks, or a leak fits nowhere in many draws.
    """
    if not masks.grid.same_as(volume.grid):
        raise GeometryError("The masks stand on another grid than the scan; bring them onto it first.")
    return implant_on(volume, masks, ground_of(masks), plan, rng)


def ground_of(masks: SpineMasks) -> Ground:
    """Survey of the masks with their bone, to be shared between many implants into one scan."""
    return Ground(survey(masks), bone_from_mask(masks.grid, masks.vertebrae), masks.grid)


def implant_on(
    volume: Volume,
    masks: SpineMasks,
    ground: Ground,
    plan: ImplantPlan,
    rng: np.random.Generator,
    *,
    scanner: ScannerLook | None = None,
    metal_hu: NDArray[np.float32] | None = None,
) -> Phantom:
    """As `implant`, on ground surveyed before.

    Parameters
    ----------
    scanner
        What sees the cement; None: a plain scanner of the plan's blur, noise and clip.
    metal_hu
        Metal as the scanner shows it, not clipped, to be laid over scan and cement where it is the denser.
    """
    blocks = cast(ground, plan, FINE_STEP_MM, rng)
    return lay(volume, masks, ground, plan, blocks, rng, scanner=scanner, metal_hu=metal_hu)


def lay(
    volume: Volume,
    masks: SpineMasks,
    ground: Ground,
    plan: ImplantPlan,
    blocks: list[Block],
    rng: np.random.Generator,
    *,
    scanner: ScannerLook | None = None,
    metal_hu: NDArray[np.float32] | None = None,
) -> Phantom:
    """Cement drawn before, laid into a scan; as `implant_on` otherwise."""
    shape = volume.grid.shape
    inside, outside = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    density = np.full(shape, max(fill.density_hu for fill in plan.fills) if plan.fills else 0.0, np.float32)
    leak_labels, strongest = np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
    truths: list[LeakTruth] = []
    pieces = 0
    for block in blocks:
        inner = coarsen(block.inside, block.factors)
        inside[block.window] = np.maximum(inside[block.window], inner)
        density[block.window] = np.where(inner > 0, np.float32(block.fill.density_hu), density[block.window])
        for leak in block.leaks:
            share = coarsen(leak.cover, block.factors)
            outside[block.window] += share
            density[block.window] = np.where(share > 0, np.float32(block.fill.density_hu), density[block.window])
            truths.append(_truth(len(truths) + 1, pieces + leak.piece, leak))
            wins = (share > _label_share(share, leak.volume_mm3 / volume.grid.voxel_volume_mm3)) & (
                share > strongest[block.window]
            )
            leak_labels[block.window][wins] = len(truths)
            strongest[block.window][wins] = share[wins]
        pieces += max((leak.piece for leak in block.leaks), default=0)
        density[block.window] = _clumps(density[block.window], inner, block, rng)
    total = np.minimum(inside + outside, 1.0)
    look = scanner or ScannerLook(psf_sigma_mm=plan.psf_sigma_mm, noise_hu=plan.noise_hu, clip_hu=plan.clip_hu)
    hu = _paint(volume, total, _spread(density, total), look, rng, metal_hu)
    labels = np.where(total >= 0.5, np.where(outside >= inside, 2, 1), 0).astype(np.uint8)
    canal = canal_on(ground.survey, volume.grid) if masks.canal is None else masks.canal
    return Phantom(
        replace(volume, hu=hu),
        masks,
        canal,
        tuple(truths),
        _cement(blocks),
        leak_labels,
        labels,
        {"kind": "implant", "plan": plan},
    )


def canal_on(found: Survey, grid: Grid) -> NDArray[np.bool_]:
    """The survey's canal on a scan's grid."""
    return found.lookup(found.canal, found.line.suv_on(grid))


def _paint(
    volume: Volume,
    total: NDArray[np.float32],
    density: NDArray[np.float32],
    look: ScannerLook,
    rng: np.random.Generator,
    metal_hu: NDArray[np.float32] | None,
) -> NDArray[np.int16]:
    """Cement mixed into the part of the scan round it, metal laid over, and what the scanner spoils."""
    hu = np.array(volume.hu, dtype=np.float32)
    where = np.nonzero(total > 0)
    if len(where[0]):
        start = [max(int(axis.min()) - 6, 0) for axis in where]
        stop = [int(axis.max()) + 7 for axis in where]
        part = (slice(start[0], stop[0]), slice(start[1], stop[1]), slice(start[2], stop[2]))
        hu[part] = put_cement(
            hu[part],
            volume.grid,
            total[part],
            density[part],
            kernel=look.kernel,
            noise_hu=look.noise_hu,
            rng=rng,
        )
    dense = total * density
    if metal_hu is not None:
        hu, dense = np.maximum(hu, metal_hu), np.maximum(dense, metal_hu)
    return to_stored(spoil(hu, volume.grid, dense, look, rng), look.clip_hu)


def _spread(density: NDArray[np.float32], total: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each voxel's density from the nearest cement, for blur carries cement beyond its own voxels."""
    from scipy.ndimage import maximum_filter

    known = np.where(total > 0, density, 0).astype(np.float32)
    return np.where(total > 0, density, maximum_filter(known, size=7)).astype(np.float32)


def _label_share(share: NDArray[np.float32], voxels: float) -> float:
    """Least cover that a labelled voxel has: half; of thin leaks, less, so that the label holds half their volume."""
    if np.count_nonzero(share > 0.5) >= 0.5 * voxels:
        return 0.5
    wanted = min(max(round(0.75 * voxels), 1), share.size - 1)
    return max(float(np.partition(share.ravel(), -wanted - 1)[-wanted - 1]), 0.1)


def _clumps(
    density: NDArray[np.float32], inner: NDArray[np.float32], block: Block, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The block's density, uneven where the plan wants clumps of radio-opacifier."""
    if block.fill.clump_fraction <= 0:
        return density
    grain = texture(density.shape, block.site.ground.grid.crop(block.window), 2.0, rng)
    own = inner > 0
    for leak in block.leaks:
        own |= coarsen(leak.cover, block.factors) > 0
    uneven = density * np.clip(1.0 + block.fill.clump_fraction * grain, 0.4, 1.6)
    return np.where(own, uneven, density).astype(np.float32)


def _truth(number: int, component: int, leak: Any) -> LeakTruth:
    plan, measured = leak.plan, leak.measured
    return LeakTruth(
        id=number,
        type=plan.type,
        subtype=plan.subtype,
        route=plan.route,
        level=plan.level,
        segment=measured.segment,
        side=measured.side,
        volume_mm3=leak.volume_mm3,
        centroid_mm=measured.centroid_mm,
        canal_encroachment_fraction=measured.encroachment,
        connected=not plan.detached,
        fraction_in_place=leak.in_place,
        component=component,
    )


def _cement(blocks: list[Block]) -> CementTruth:
    inside = {
        block.fill.level: float(block.inside.sum(dtype=np.float64)) * block.grid.voxel_volume_mm3 for block in blocks
    }
    leaked = sum(leak.volume_mm3 for block in blocks for leak in block.leaks)
    return CementTruth(
        total_volume_mm3=sum(inside.values()) + leaked,
        inside_volume_mm3=sum(inside.values()),
        leaked_volume_mm3=leaked,
        inside_by_level_mm3=inside,
        density_hu_by_level={block.fill.level: block.fill.density_hu for block in blocks},
    )
