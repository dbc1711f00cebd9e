"""Cement put into the real scans by a plain implanter that shares no code with leakseg's own, analysed and scored.

    python benchmarks/plain_implants.py --scan lumbar --seed 1 --count 8 --out OUT
    python benchmarks/plain_implants.py --scan thorax --seed 1 --count 8 --out OUT --masks builtin --warp
    python benchmarks/plain_implants.py --scan trunk --seed 1 --count 8 --out OUT --plane sagittal

The scan (``lumbar``: verse005; ``trunk``: the 3 mm scan; ``thorax``: thoracic_dicom, whose truth is what leakseg draws
on it without cement) is mirrored, resized, of other bone, with ``--warp`` of another shape too. One or two vertebrae
are filled; leaks grow through what is open to them; cement of 1200 to 3000 HU, grainy, is blurred and sampled by
another scanner in axial slices (``--plane`` for others), and masks are drawn in one of six manners. The leaks are
scored by `leakseg evaluate`: one line a scan, and `OUT/scores` for the rest. The same seeds give the same bytes. Tune
under 700.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from builtin_weak import thorax
from changed_scans import Array, Case, arched, crushed, lumbar, trunk
from plain_leaks import Leak, channel, put_leaks, treat
from plain_scene import Scene, make_scene, near, noise, resampled_labels
from random_changes import warped_at_random
from scipy.ndimage import binary_erosion, gaussian_filter, zoom

from leakseg.anatomy import VertebraLevel
from leakseg.geometry import Grid
from leakseg.nifti import write_nifti

VERSE = {level.value: number for number, level in enumerate((v for v in VertebraLevel if v.value != "T13"), start=1)}
"""VerSe's numbers: C1 is 1, T12 19, L1 20, L6 25, S1 26."""
PLANES = {"axial": 0, "coronal": 1, "sagittal": 2}
"""The axis that slices are stacked along."""
NEIGHBOURS = 4
ROOM_MM = 15.0


@dataclass(frozen=True)
class Base:
    """A scan, the fine voxels on which cement is put in, and the scanner's pixels, slices and blur."""

    load: Any
    fine_mm: float
    pixel_mm: tuple[float, float]
    slice_mm: tuple[float, ...]
    blur: float = 1.0


BASES = {
    "lumbar": Base(lumbar, 0.7, (0.5, 0.9), (0.8, 1.0, 1.25, 2.0, 3.0)),
    "trunk": Base(trunk, 1.2, (1.0, 1.5), (1.5, 2.0, 3.0), 1.6),
    "thorax": Base(thorax, 0.8, (0.6, 0.95), (1.0, 1.25, 2.0, 3.0)),
}
_loaded = cache(lambda name: BASES[name].load())


def main() -> int:
    options = _options()
    for seed in range(options.seed, options.seed + options.count):
        made = _make(options.scan, seed, warp=options.warp, plane=options.plane, out=options.out)
        print(made, file=sys.stderr, flush=True)
    masks = ("--masks", "builtin") if options.masks == "builtin" else ("--masks", "auto", "--label-scheme", "verse")
    results, scores = options.out / "results", options.out / "scores"
    _leakseg("run", options.out / "scans", *masks, "-o", results, "--write", "json,nifti", "--workers", options.workers)
    _leakseg("evaluate", results, options.out / "truth", "-o", scores)
    document = json.loads((scores / "evaluation.json").read_text(encoding="utf-8"))
    counts = np.array(document["naming"]["confusion"]["counts"])
    level = document["naming"]["fields"]["level"]
    shape, last = " warped" if options.warp else "", options.seed + options.count - 1
    shape += "" if options.plane == "axial" else f", {options.plane} slices"
    print(
        f"{options.scan}{shape}, seeds {options.seed} to {last}, masks {options.masks}: "
        f"right {np.trace(counts[:-1, :-1])} of {counts[:-1].sum()}, missed {counts[:-1, -1].sum()}, "
        f"false {counts[-1].sum()}; level right of those found {level['k']} of {level['n']}"
    )
    return 0


def _make(scan: str, seed: int, *, warp: bool, plane: str, out: Path) -> str:
    rng = np.random.default_rng([seed, list(BASES).index(scan)])
    base = BASES[scan]
    case = _window(_loaded(scan), rng)
    if warp:
        case = _other_shape(case, rng)
    scene = make_scene(case, base.fine_mm, rng)
    name = f"{scan}-{seed:04d}"
    if not scene.bodies:
        return f"{name}: no whole vertebra"
    count = min(len(scene.bodies), int(rng.choice((1, 1, 2))))
    treated = [int(number) for number in rng.choice(sorted(scene.bodies), count, replace=False)]
    inside = np.logical_or.reduce([treat(scene, number, rng) for number in treated])
    leaks = put_leaks(scene, treated, rng)
    led = [channel(scene, leak.level, inside, leak.mask, rng) for leak in leaks if rng.random() < 0.8]
    cement = np.logical_or.reduce([inside, *led, *(leak.mask for leak in leaks)])
    _scanned(scene, cement, leaks, base, rng, PLANES[plane], out, name)
    told = ", ".join(f"{leak.kind} {_name(leak.level)} {leak.mask.sum() * scene.mm**3:.0f} mm3" for leak in leaks)
    return f"{name}: {told or 'no leak'}"


def _window(case: Case, rng: np.random.Generator) -> Case:
    """What lies round the spine, and of a long one five vertebrae or so."""
    names = np.unique(case.levels[case.levels > 0])
    if len(names) > 2 * NEIGHBOURS:
        first = rng.integers(1, len(names) - NEIGHBOURS - 1)
        names = names[first : first + NEIGHBOURS + 1]
    at = np.argwhere(np.isin(case.levels, names))
    room = ROOM_MM * np.array([1, 3, 3]) / case.mm
    low = np.maximum(at.min(axis=0) - room, 0).astype(int)
    high = np.minimum(at.max(axis=0) + room + 1, case.hu.shape).astype(int)
    box = tuple(map(slice, low, high))
    affine = case.grid.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ low
    grid = Grid(case.hu[box].shape, affine)
    return Case(grid, case.hu[box], case.levels[box], case.canal[box], case.ribs[box])


def _other_shape(case: Case, rng: np.random.Generator) -> Case:
    """Warped, and by chance crushed or arched."""
    _, case = warped_at_random(case, rng)
    if rng.random() < 0.6:
        names = [int(n) for n in np.unique(case.levels) if 0 < n < VertebraLevel.S1.number]
        front = rng.uniform(0.2, 0.6)
        case = crushed(case, _name(int(rng.choice(names))), front, rng.uniform(0.05, front))
    if rng.random() < 0.4:
        case = arched(case, rng.uniform(-25, 25), sideways=bool(rng.random() < 0.5))
    return case


def _scanned(
    scene: Scene,
    cement: Array,
    leaks: list[Leak],
    base: Base,
    rng: np.random.Generator,
    across: int,
    out: Path,
    name: str,
) -> None:
    """The scan, its masks and its truth, as another scanner would have them, its slices ``across`` an axis."""
    mm, pixel, slice_mm = scene.mm, rng.uniform(*base.pixel_mm), float(rng.choice(base.slice_mm))
    voxel = np.full(3, pixel)
    voxel[across] = slice_mm
    share = np.clip(gaussian_filter(cement.astype(np.float32), base.blur * rng.uniform(0.5, 0.9) / mm), 0, 1)
    density = rng.uniform(1200, 3000) * (1 + 0.08 * noise(rng, cement.shape, 1.2, mm))
    painted = gaussian_filter(scene.hu * (1 - share) + density * share, np.where(voxel > mm, 0.3 * voxel / mm, 0))

    def sampled(array: Array) -> Array:
        return np.asarray(zoom(array.astype(np.float32), mm / voxel, order=1, grid_mode=True, mode="nearest"))

    seen = sampled(painted)
    if rng.random() < 0.35:  # a sharp kernel
        seen = seen + 0.5 * (seen - gaussian_filter(seen, 0.8 / voxel))
    seen = seen + rng.uniform(5, 40) * noise(rng, seen.shape, 0.5, 1.0)
    grid = Grid(seen.shape, np.diag([1.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]] * np.array([*voxel, 1.0]))
    masks, canal = _masks(scene, cement, sampled, mm / voxel, rng)
    truth, most = np.zeros(seen.shape, np.uint8), np.full(seen.shape, 0.3)
    for number, leak in enumerate(leaks, start=1):
        own = sampled(leak.mask)
        wins = own > most
        truth[wins], most[wins] = number, own[wins]
    for folder in ("scans", "masks", "truth"):
        (out / folder / name).mkdir(parents=True, exist_ok=True)
    write_nifti(out / "scans" / name / "ct.nii.gz", grid, np.clip(np.rint(seen), -1024, 3071).astype(np.int16))
    write_nifti(out / "masks" / name / "vertebrae.nii.gz", grid, masks)
    write_nifti(out / "masks" / name / "canal.nii.gz", grid, canal.astype(np.uint8))
    write_nifti(out / "truth" / name / "truth_leaks.nii.gz", grid, truth)
    told = [
        {"id": n, "type": leak.kind, "level": _name(leak.level), "volume_mm3": float(leak.mask.sum()) * mm**3}
        for n, leak in enumerate(leaks, start=1)
    ]
    document = {"case_id": f"{name}-ct", "leaks": told}
    (out / "truth" / name / "truth.json").write_text(json.dumps(document, indent=1), encoding="utf-8")


def _masks(scene: Scene, cement: Array, sampled: Any, factor: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Vertebrae and canal: as they are, taking in or leaving out cement, rough, or a voxel too small."""
    manner = rng.choice(("clean", "clean", "swallows", "holes", "rough", "eroded"))
    levels = scene.levels.copy()
    if manner == "swallows":
        for number in scene.bodies:
            beside = near(scene.levels == number, 1.5, scene.mm) & cement & ~scene.canal & (levels == 0)
            levels[beside] = number
    elif manner == "holes":
        levels[binary_erosion(cement)] = 0
    elif manner == "eroded":
        levels[~binary_erosion(levels > 0)] = 0
    masks = resampled_labels(levels, factor, sampled(scene.canal).shape)
    if manner == "rough":
        whole = gaussian_filter((masks > 0).astype(np.float32), 1.0) > 0.5
        masks = np.where(whole, masks, 0)
    verse = np.zeros(VertebraLevel.S2.number + 1, np.uint8)
    for level in VertebraLevel:
        verse[level.number] = VERSE.get(level.value, 28)
    return np.where(masks > 0, verse[masks], 0).astype(np.uint8), (sampled(scene.canal) > 0.5) & (masks == 0)


def _name(number: int) -> str:
    return VertebraLevel.from_number(number).value


def _leakseg(*arguments: object) -> None:
    words = [str(word) for word in arguments]
    done = subprocess.run([sys.executable, "-m", "leakseg", *words], check=False, stdout=sys.stderr)
    if done.returncode not in (0, 1):
        raise SystemExit(f"leakseg {words[0]} ended with {done.returncode}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", choices=BASES, required=True)
    parser.add_argument("--seed", type=int, required=True, help="the first")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--masks", choices=("given", "builtin"), default="given")
    parser.add_argument("--warp", action="store_true", help="change the spine's shape first")
    parser.add_argument("--plane", choices=PLANES, default="axial", help="of the slices, with which the masks go too")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
