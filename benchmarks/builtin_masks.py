"""The built-in masks against what is known of the real scans of ../shared/data: the table of their issue.

    python benchmarks/builtin_masks.py [PART ...]

Parts: plain, cement, weak, thick, planes, turned, cut, trunk, thorax, phantoms. Without any: all. Prints one line a
figure. ``phantoms:N`` makes N of each of the three kinds (default 34: about a hundred). Seeds of 900 and more are the
examination's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, distance_transform_edt, gaussian_filter

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.errors import AnatomyError
from leakseg.geometry import Grid
from leakseg.nifti import read_image
from leakseg.phantom.jobs import make_cohort
from leakseg.phantom.recipe import DrawRecipe, PhantomRecipe, ScannerRecipe, SpineRecipe
from leakseg.providers.builtin import BuiltinMasks, segment
from leakseg.volume import Volume

DATA = Path(__file__).resolve().parents[1] / "../shared/data"
LUMBAR = {20: "L1", 21: "L2", 22: "L3", 23: "L4", 24: "L5"}
TRUNK = {32: "T12", 31: "L1", 30: "L2", 29: "L3", 28: "L4", 27: "L5"}
SURE = 0.7


def dice(one: NDArray[Any], other: NDArray[Any]) -> float:
    return float(2 * (one & other).sum() / max(1, one.sum() + other.sum()))


def lumbar() -> tuple[Grid, NDArray[Any], NDArray[Any], NDArray[Any]]:
    grid, hu = read_image(DATA / "verse005/ct.nii.gz")
    _, vertebrae = read_image(DATA / "verse005/vertebrae.nii.gz")
    _, canal = read_image(DATA / "verse005/canal_derived.nii.gz")
    return grid, hu.astype(np.int16), vertebrae.astype(np.uint8), canal > 0


def draw(grid: Grid, hu: NDArray[Any]) -> tuple[BuiltinMasks | None, float]:
    start = time.perf_counter()
    try:
        drawn = segment(Volume(grid, np.ascontiguousarray(hu.astype(np.int16))))
    except AnatomyError:
        drawn = None
    return drawn, time.perf_counter() - start


def score(
    title: str, grid: Grid, hu: NDArray[Any], truth: NDArray[Any], canal: NDArray[Any] | None, names: dict[int, str]
) -> BuiltinMasks | None:
    drawn, seconds = draw(grid, hu)
    if drawn is None:
        print(f"{title:34s} refused")
        return None
    masks = drawn.masks
    each = {name: dice(masks.vertebrae == VertebraLevel(name).number, truth == n) for n, name in names.items()}
    text = f"vertebrae {np.mean(list(each.values())):.3f} / {min(each.values()):.3f}"
    if canal is not None and masks.canal is not None:
        extent = np.flatnonzero(canal.any(axis=(1, 2)))
        rows = slice(extent[0], extent[-1] + 1)
        text += f"  canal {dice(masks.canal[rows], canal[rows]):.3f}"
    sure = min(value for value in masks.label_confidence.values() if value is not None)
    print(f"{title:34s} {text}  {seconds:4.1f} s  name sure {sure:.2f}  " + " ".join(f"{v:.2f}" for v in each.values()))
    return drawn


def plain() -> None:
    grid, hu, truth, canal = lumbar()
    score("verse005", grid, hu, truth, canal, LUMBAR)


def cement() -> None:
    grid, hu, truth, canal = lumbar()
    for volume_mm3 in (300.0, 1200.0):
        treated, leak = with_cement(hu, truth, canal, volume_mm3)
        drawn = score(f"cement, {volume_mm3:.0f} mm3 in the canal", grid, treated, truth, canal, LUMBAR)
        if drawn is not None and drawn.masks.canal is not None:
            touching = distance_transform_edt(~drawn.masks.canal) <= 1.5
            outside = drawn.masks.vertebrae == 0
            print(
                f"{'':34s} leak in canal {drawn.masks.canal[leak].mean():.2f}, outside bone and touching it "
                f"{(touching & outside)[leak].mean():.2f}, touching it {touching[leak].mean():.2f}"
            )


def with_cement(
    hu: NDArray[Any], truth: NDArray[Any], canal: NDArray[Any], leak_mm3: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """2.5 mL of cement in L2 and L4, and a leak behind L2 on the canal's front wall."""
    rng = np.random.default_rng(0)
    texture = gaussian_filter(rng.standard_normal(hu.shape), 2)
    index = np.indices(hu.shape)
    lump = np.zeros(hu.shape, bool)
    for label in (21, 23):
        front = canal_front(canal, truth == label)
        body = (truth == label) & (index[1] < front[:, None, None]) & (distance_transform_edt(truth == label) > 2)
        centre = np.argwhere(body).mean(axis=0)
        far = np.sqrt(sum((index[axis] - centre[axis]) ** 2 for axis in range(3))) + 30 * texture
        lump |= body & (far <= np.sort(far[body])[2500])
    middle = np.argwhere((truth == 21) & (index[1] < canal_front(canal, truth == 21)[:, None, None])).mean(axis=0)
    away = np.where(canal, index[1] * 1.5 + np.abs(index[0] - middle[0]) + 0.7 * np.abs(index[2] - middle[2]), np.inf)
    leak = away <= np.sort(away[canal])[int(leak_mm3)]
    share = np.clip(gaussian_filter((lump | leak).astype(float), 0.6), 0, 1)
    return np.rint(hu * (1 - share) + share * (1600 + 200 * texture)).astype(np.int16), leak


def canal_front(canal: NDArray[Any], vertebra: NDArray[Any]) -> NDArray[Any]:
    """Per slice, where the canal begins (carried to slices without canal)."""
    rows = np.flatnonzero(canal.any(axis=(1, 2)))
    first = canal[rows].any(axis=2).argmax(axis=1)
    return np.interp(np.arange(len(vertebra)), rows, first) - 0.5


def weak() -> None:
    """Trabecular bone at 0 HU."""
    grid, hu, truth, canal = lumbar()
    depth = distance_transform_edt(truth > 0)
    deep = depth > 3
    weight = np.clip((depth - 1.5) / 1.5, 0, 1)
    lowered = hu - weight * np.median(hu[deep])
    score("trabecular bone at 0 HU", grid, np.where(truth > 0, lowered, hu), truth, canal, LUMBAR)


def thick() -> None:
    for factor in (3, 5):
        score_slices(f"slices of {factor} mm", 0, factor)


def planes() -> None:
    """Many spines are archived as sagittal slices."""
    for axis, plane in ((2, "sagittal"), (1, "coronal")):
        for factor in (2, 3, 4):
            score_slices(f"{plane} slices of {factor} mm", axis, factor)


def score_slices(title: str, axis: int, factor: int) -> None:
    """Voxels of 1 mm averaged along an axis."""
    grid, hu, truth, canal = lumbar()
    count = hu.shape[axis] // factor
    affine = grid.affine.copy()
    affine[:3, 3] += affine[:3, axis] * (factor - 1) / 2
    affine[:3, axis] *= factor
    across = np.moveaxis(hu, axis, 0)[: count * factor]
    thick_hu = np.moveaxis(across.reshape(count, factor, *across.shape[1:]).mean(axis=1), 0, axis)
    rows = np.arange(factor // 2, count * factor, factor)
    score(
        title, Grid(thick_hu.shape, affine), np.rint(thick_hu), truth.take(rows, axis), canal.take(rows, axis), LUMBAR
    )


def turned() -> None:
    grid, hu, truth, canal = lumbar()
    for title, angles in (("rolled 20 deg", (20, 0)), ("pitched 15 deg", (0, 15)), ("both", (20, 15))):
        turn = rotation(*angles)
        shape = np.array(hu.shape) + np.array([20, 30, 30])
        offset = (np.array(hu.shape) - 1) / 2 - turn @ ((shape - 1) / 2)
        moved = [
            affine_transform(array, turn, offset, tuple(shape), order=order, cval=fill)
            for array, order, fill in ((hu.astype(np.float32), 1, -1000), (truth, 0, 0), (canal, 0, 0))
        ]
        score(title, Grid(tuple(shape), grid.affine), np.rint(moved[0]), moved[1], moved[2] > 0, LUMBAR)


def rotation(roll_deg: float, pitch_deg: float) -> NDArray[Any]:
    """About the axes of (z, y, x): roll turns y and x, pitch turns z and y."""
    roll, pitch = np.radians(roll_deg), np.radians(pitch_deg)
    about_z = np.array([[1, 0, 0], [0, np.cos(roll), -np.sin(roll)], [0, np.sin(roll), np.cos(roll)]])
    about_x = np.array([[np.cos(pitch), -np.sin(pitch), 0], [np.sin(pitch), np.cos(pitch), 0], [0, 0, 1]])
    return about_z @ about_x


def cut() -> None:
    """Windows of two vertebrae, at every place: right, or told as doubtful."""
    grid, hu, truth, _ = lumbar()
    cut_scan("verse005", grid, hu, truth, LUMBAR)
    grid, hu = read_image(DATA / "totalsegmentator_ct/ct.nii.gz")
    _, truth = read_image(DATA / "totalsegmentator_ct/seg_total_v2.nii.gz")
    cut_scan("totalsegmentator_ct", grid, hu, np.where(np.isin(truth, list(TRUNK)), truth, 0), TRUNK)


def cut_scan(title: str, grid: Grid, hu: NDArray[Any], truth: NDArray[Any], names: dict[int, str]) -> None:
    step = grid.spacing_mm[0]
    rows = np.flatnonzero(np.isin(truth, list(names)).any(axis=(1, 2)))
    right = doubtful = wrong = total = 0
    scores = []
    for start in range(max(0, rows[0] - round(10 / step)), rows[-1] - round(50 / step), round(8 / step)):
        window = slice(start, min(start + round(72 / step), len(hu)))
        drawn, _ = draw(grid.crop((window, slice(None), slice(None))), hu[window])
        total += 1
        if drawn is None:
            doubtful += 1
            continue
        found = drawn.masks.vertebrae
        sure = min(value for value in drawn.masks.label_confidence.values() if value is not None) >= SURE
        agreed = []
        for number, name in names.items():
            part = truth[window] == number
            if part.sum() * grid.voxel_volume_mm3 > 25000:
                best = np.bincount(found[part], minlength=29)[1:].argmax() + 1
                scores.append(dice(found == best, part))
                agreed.append(best == VertebraLevel(name).number and scores[-1] > 0.6)
        good = all(agreed)
        right += good and sure
        doubtful += not sure
        wrong += sure and not good
        if sure and not good:
            print("   wrong:", start, [str(level) for level in drawn.masks.levels()], np.round(scores[-3:], 2))
    print(
        f"{title + ', two vertebrae':34s} {total} places: right and sure {right}, told as doubtful {doubtful}, "
        f"wrong {wrong}; best-overlap Dice mean {np.mean(scores):.3f}, worst {np.min(scores):.3f}, "
        f"under 0.8: {np.sum(np.array(scores) < 0.8)} of {len(scores)}"
    )


def trunk() -> None:
    grid, hu = read_image(DATA / "totalsegmentator_ct/ct.nii.gz")
    _, truth = read_image(DATA / "totalsegmentator_ct/seg_total_v2.nii.gz")
    score("totalsegmentator_ct (model masks)", grid, hu, truth, truth == 79, TRUNK)


def thoracic() -> tuple[Grid, Any, float]:
    """The thoracic scan's grid and HU (int16), head first, and how many seconds SimpleITK takes to read it."""
    import SimpleITK as sitk

    from leakseg.geometry import canonical

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(DATA / "thoracic_dicom")))
    start = time.perf_counter()
    image = reader.Execute()
    reading = time.perf_counter() - start
    affine = np.eye(4)
    affine[:3, :3] = (np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing()))[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    array = sitk.GetArrayFromImage(image).astype(np.int16)
    return *canonical(Grid(array.shape, affine), array), reading


def thorax() -> None:
    grid, array, reading = thoracic()
    drawn, seconds = draw(grid, array)
    if drawn is None:
        print(f"{'thoracic_dicom':34s} refused")
        return
    sure = {str(level): value for level, value in drawn.masks.label_confidence.items()}
    print(f"{'thoracic_dicom':34s} {len(sure)} levels, {seconds:.1f} s = {seconds / reading:.0f} x the series read")
    print(f"{'':34s} {sure}")
    for note in drawn.notes:
        print(f"{'':34s} {note.code}: {note.message}")


PHANTOM_LEVELS = {
    "sacrum and last rib in view": "T11 T12 L1 L2 L3 L4 L5 S1",
    "last rib in view": "T9 T10 T11 T12 L1 L2",
    "no landmark in view": "L1 L2 L3 L4",
}


def phantoms(count: int = 34, seed: int = 5) -> None:
    """Identification after VerSe: the nearest centre has the right name and lies under 20 mm away."""
    for title, names in PHANTOM_LEVELS.items():
        levels = tuple(VertebraLevel(name) for name in names.split())
        landmark = not title.startswith("no")
        right: list[bool] = []
        scores: list[float] = []
        canals: list[float] = []
        sure = wrong = refused = 0
        for made in make_cohort(varied(levels, count, landmark=landmark), seed):
            truth = made.phantom.masks
            drawn, _ = draw(truth.grid, made.phantom.volume.hu)
            if drawn is None:
                refused += 1
                right += [False] * len(levels)
                continue
            found = identify(truth, drawn.masks)
            right += [good for good, _ in found]
            scores += [share for _, share in found]
            assert truth.canal is not None
            assert drawn.masks.canal is not None
            canals.append(dice(truth.canal, drawn.masks.canal))
            told = min(value for value in drawn.masks.label_confidence.values() if value is not None) < SURE
            sure += not told
            wrong += not told and not all(good for good, _ in found)
        print(
            f"{f'{count} phantoms, {title}':34s} identified {np.mean(right):.3f}  Dice {np.mean(scores):.3f}  canal "
            f"{np.mean(canals):.3f}  names sure {sure}, sure and wrong {wrong}, refused {refused}"
        )


def varied(levels: tuple[VertebraLevel, ...], count: int, *, landmark: bool) -> PhantomRecipe:
    spine = SpineRecipe(
        levels=levels, scale=(0.9, 1.1), size_spread=0.04, curvature="natural", fracture_share=0.5,
        other_fracture_share=0.05, ribs=landmark, pelvis=landmark, cancellous_hu=(0.0, 350.0),
        endplate_sclerosis_hu=(0.0, 400.0), trabecular_grain=(0.15, 0.4),
    )  # fmt: skip
    scanner = ScannerRecipe(
        slice_mm=(0.6, 5.0), pixel_mm=(0.6, 0.9), kernels={"soft": 1.0, "standard": 2.0, "bone": 1.0},
        noise_hu=(8.0, 35.0), streak_strength=(0.0, 0.6), field_mm=(150.0, 180.0) if landmark else (100.0, 90.0),
    )  # fmt: skip
    treated = tuple(level for level in levels if level.startswith("L") or level is VertebraLevel.T12)
    draws = DrawRecipe(count=count, leaks=("epidural", "none", "paravertebral"), levels=treated)
    return PhantomRecipe(spine=spine, scanner=scanner, draw=draws)


def identify(truth: SpineMasks, found: SpineMasks) -> list[tuple[bool, float]]:
    """Of every whole vertebra above the sacrum: rightly named, and Dice with the nearest one drawn."""
    spacing = np.array(truth.grid.spacing_mm)
    centres = {level: np.argwhere(found.vertebrae == level.number).mean(axis=0) * spacing for level in found.levels()}
    out = []
    for level in truth.levels():
        mask = truth.vertebrae == level.number
        if level is VertebraLevel.S1 or mask.sum() * truth.grid.voxel_volume_mm3 < 8000:
            continue
        centre = np.argwhere(mask).mean(axis=0) * spacing
        away = {other: float(np.linalg.norm(place - centre)) for other, place in centres.items()}
        nearest = min(away, key=lambda other: away[other])
        out.append((nearest is level and away[nearest] < 20, dice(found.vertebrae == nearest.number, mask)))
    return out


PARTS: dict[str, Callable[..., None]] = {
    "plain": plain, "cement": cement, "weak": weak, "thick": thick, "planes": planes, "turned": turned,
    "cut": cut, "trunk": trunk, "thorax": thorax, "phantoms": phantoms,
}  # fmt: skip


if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        name, _, number = part.partition(":")
        PARTS[name](*([int(number)] if number else []))
