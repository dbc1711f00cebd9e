"""One phantom patient through surgery: a leak taken out, bone resected on the way, and part of it healed later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.errors import AnatomyError, ConfigError
from leakseg.findings import LeakSubtype, LeakType, Side
from leakseg.geometry import FloatArray, Grid
from leakseg.phantom.casting import cast
from leakseg.phantom.draw_scanner import draw_scanner
from leakseg.phantom.implant import FINE_STEP_MM, lay
from leakseg.phantom.lie import grid_for
from leakseg.phantom.look import ScannerLook
from leakseg.phantom.plan import FillPlan, ImplantPlan, LeakPlan, Phantom
from leakseg.phantom.raster import points_of
from leakseg.phantom.recipe import PhantomRecipe, ScannerRecipe
from leakseg.phantom.render import render
from leakseg.phantom.scanner import to_stored
from leakseg.phantom.sculpt import Block, PlacedLeak
from leakseg.phantom.site import Ground, bone_from_mask
from leakseg.phantom.spine import build_spine
from leakseg.phantom.surgery.moved import Posture, motions, shown, source_points
from leakseg.phantom.surgery.resection import Approach, Resection, resect
from leakseg.phantom.survey import survey
from leakseg.phantom.variety import draw_look, draw_shape, levels_in_view
from leakseg.volume import Volume

_TREATED = (VertebraLevel.L2, VertebraLevel.L3, VertebraLevel.L4)
_KINDS: tuple[tuple[LeakType, LeakSubtype | None, Approach], ...] = (
    (LeakType.EPIDURAL, LeakSubtype.PARACENTRAL, "B"),
    (LeakType.FORAMINAL, None, "A"),
    (LeakType.EPIDURAL, LeakSubtype.PEDICLE_BREACH, "A"),
    (LeakType.EPIDURAL, LeakSubtype.CENTRAL, "B"),
)
"""Leaks in turn, with the approach that the founding study took to such."""
_SOFT_HU, _NEW_BONE_HU = 35.0, 320.0
_TRIES = 12
_SCANNER = ScannerRecipe(field_mm=(135.0, 125.0), margin_mm=14.0)


@dataclass(frozen=True, eq=False)
class Operated:
    """One patient: scans by name (``pre``, ``post``, ``followup``), and what was done to him."""

    case_id: str
    seed_text: str
    scans: dict[str, Phantom]
    truth: dict[str, Any]


def make_patients(count: int, seed: int) -> Iterator[Operated]:
    """Patients one at a time; each draws from ``(seed, its number)``.

    Raises
    ------
    ConfigError
        Where one cannot be made in many draws.
    """
    for number in range(1, count + 1):
        problem: AnatomyError | None = None
        rng = np.random.default_rng([seed, number, 71])
        for _ in range(_TRIES):
            try:
                made = _patient(number, rng)
            except AnatomyError as error:
                problem = error
                continue
            yield Operated(f"case-{number:03d}", f"surgery {seed} {number}", *made)
            break
        else:
            raise ConfigError(f"Patient {number} of seed {seed} could not be made: {problem}")


def _patient(number: int, rng: np.random.Generator) -> tuple[dict[str, Phantom], dict[str, Any]]:
    kind, subtype, approach = _KINDS[(number - 1) % len(_KINDS)]
    level = _TREATED[int(rng.integers(len(_TREATED)))]
    recipe = PhantomRecipe(scanner=_SCANNER)
    look, scanner = draw_look(recipe.spine, rng), draw_scanner(recipe.scanner, rng)
    spine = build_spine(draw_shape(recipe.spine, levels_in_view((level,)), rng, (level,)))
    rendered = render(spine, grid_for(spine, scanner), look, scanner, rng)
    masks = rendered.masks
    ground = Ground(survey(masks), bone_from_mask(rendered.fine, rendered.fine_bone), masks.grid)
    side = None if subtype is LeakSubtype.CENTRAL else (Side.LEFT, Side.RIGHT)[int(rng.integers(2))]
    plan = ImplantPlan(
        fills=(
            FillPlan(level=level, volume_mm3=float(rng.uniform(1500, 3000)), density_hu=float(rng.uniform(1500, 2500))),
        ),
        leaks=(LeakPlan(level=level, type=kind, subtype=subtype, side=side, size=_between(1.0, 1.4, rng)),),
        psf_sigma_mm=scanner.psf_sigma_mm,
        noise_hu=scanner.noise_hu,
        clip_hu=scanner.clip_hu,
    )
    bare = Volume(masks.grid, rendered.hu, scanner.series())
    blocks = cast(ground, plan, FINE_STEP_MM, rng)
    pre = lay(bare, masks, ground, plan, blocks, rng, scanner=scanner)
    (block,) = blocks
    share = 1.0 if number % 3 else float(rng.uniform(0.5, 0.8))
    after = replace(block, leaks=tuple(_cut(leak, block, share) for leak in block.leaks))
    truth_leak = pre.leaks[0]
    hand = truth_leak.side if truth_leak.side in (Side.LEFT, Side.RIGHT) else Side.LEFT
    height = float(ground.survey.line.to_suv(np.array([truth_leak.centroid_mm]))[0, 0])
    bone = ground.bone_at(points_of(block.grid)) == level.number
    taken = resect(ground.survey, block, bone, approach, str(hand), height, float(rng.uniform(0.3, 0.8)))
    scans, poses = {"pre": pre}, {}
    for name in ("post", "followup"):
        operated = _operate(bare, masks, taken, name, scanner)
        seen = lay(operated, _without(masks, taken, name), ground, plan, [after], rng, scanner=scanner)
        posture = _posture(rng)
        told = motions(ground.survey, posture, masks.grid.to_patient((np.array(masks.grid.shape) - 1) / 2))
        scans[name] = _moved(seen, masks, told, scanner, rng)
        poses[name] = {str(one): [[round(float(v), 6) for v in row] for row in told[one]] for one in told}
    truth = {
        "level": str(level),
        "approach": approach,
        "leaks": [
            {"id": one.id, "type": str(one.type), "level": str(one.level), "side": str(one.side), **_told(before, rest)}
            for one, before, rest in zip(pre.leaks, block.leaks, after.leaks, strict=True)
        ],
        "bone": _bone(taken, ground),
        "poses": poses,
    }
    return scans, truth


def _between(low: float, high: float, rng: np.random.Generator) -> float:
    return float(rng.uniform(low, high))


def _posture(rng: np.random.Generator) -> Posture:
    """Turned by up to 15 degrees, shifted with the table, bent by up to 10 degrees."""
    turn, side, nod = rng.uniform(-1, 1, 3) * (15.0, 5.0, 5.0)
    x, y, z = rng.uniform(-1, 1, 3) * (5.0, 5.0, 4.0)
    return Posture(
        turn_deg=(float(turn), float(side), float(nod)),
        shift_mm=(float(x), float(y), float(z)),
        bend_deg=float(rng.uniform(-10, 10)),
        lean_deg=float(rng.uniform(-4, 4)),
    )


def _cut(leak: PlacedLeak, block: Block, share: float) -> PlacedLeak:
    """What remains of a leak once ``share`` of it is taken, from its upper end down."""
    up = block.grid.affine[:3, 0] / np.linalg.norm(block.grid.affine[:3, 0])
    where = np.argwhere(leak.cover > 0)
    height = block.grid.to_patient(where) @ up
    order = np.argsort(height)
    volume = np.cumsum(leak.cover[tuple(where[order].T)].astype(np.float64))
    kept = where[order][volume <= (1.0 - share) * volume[-1] + 1e-9]
    cover = np.zeros_like(leak.cover)
    cover[tuple(kept.T)] = leak.cover[tuple(kept.T)]
    return replace(leak, cover=cover, volume_mm3=float(cover.sum(dtype=np.float64)) * block.grid.voxel_volume_mm3)


def _told(before: PlacedLeak, rest: PlacedLeak) -> dict[str, float]:
    return {
        "volume_pre_mm3": round(before.volume_mm3, 2),
        "volume_post_mm3": round(rest.volume_mm3, 2),
        "removed_mm3": round(before.volume_mm3 - rest.volume_mm3, 2),
    }


def _operate(bare: Volume, masks: SpineMasks, taken: Resection, name: str, scanner: ScannerLook) -> Volume:
    """The scan without cement, its bone taken away, and at follow-up partly back."""
    grid, shape = masks.grid, masks.grid.shape
    hu = np.array(bare.hu, dtype=np.float32)
    bone = np.maximum(scanner.kernel.spread((masks.vertebrae > 0).astype(np.float32), grid), 1e-3)
    gone = np.clip(scanner.kernel.spread(taken.on_scan(taken.taken, shape), grid) / bone, 0.0, 1.0)
    hu += gone * (_SOFT_HU - hu)
    if name == "followup":
        back = np.clip(scanner.kernel.spread(taken.on_scan(taken.healed, shape), grid) / bone, 0.0, 1.0)
        hu += back * (_NEW_BONE_HU - hu)
    return replace(bare, hu=hu)


def _without(masks: SpineMasks, taken: Resection, name: str) -> SpineMasks:
    share = taken.taken - taken.healed if name == "followup" else taken.taken
    vertebrae = masks.vertebrae.copy()
    vertebrae[taken.on_scan(share, masks.grid.shape) >= 0.5] = 0
    return replace(masks, vertebrae=vertebrae)


def _moved(
    seen: Phantom,
    whole: SpineMasks,
    told: dict[VertebraLevel, FloatArray],
    scanner: ScannerLook,
    rng: np.random.Generator,
) -> Phantom:
    """The scan, its masks and its truth as they lie in another posture; noise that the resampling took is put back."""
    grid: Grid = seen.volume.grid
    place = grid.to_index(source_points(whole, told, grid))
    hu = shown(seen.volume.hu, place, 1, 40.0)
    hu += 0.5 * scanner.noise_hu * scanner.kernel.noise(grid.shape, grid, rng)
    nearest = np.rint(place)

    def labels(values: NDArray[Any]) -> NDArray[np.uint8]:
        return shown(values, nearest, 0, 0.0).astype(np.uint8)

    masks = replace(seen.masks, vertebrae=labels(seen.masks.vertebrae), canal=labels(seen.canal).astype(bool))
    leaks = labels(seen.leak_labels)
    return replace(
        seen,
        volume=replace(seen.volume, hu=to_stored(hu, scanner.clip_hu)),
        masks=masks,
        canal=labels(seen.canal).astype(bool),
        leaks=tuple(leak for leak in seen.leaks if leak.volume_mm3 > 0),
        leak_labels=leaks,
        cement_labels=labels(seen.cement_labels),
    )


def _bone(taken: Resection, ground: Ground) -> dict[str, Any]:
    resected = taken.resected_mm3
    return {
        "level": str(taken.block.fill.level),
        "resected_mm3": round(resected, 2),
        "healed_mm3": round(taken.healed_mm3, 2),
        "healed_percent": round(100 * taken.healed_mm3 / resected, 2) if resected else None,
        "regions": [
            {"region": region, "side": side, "resected_mm3": round(volume, 2)}
            for (region, side), volume in taken.regions(ground.survey).items()
        ],
    }
