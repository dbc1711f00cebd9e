"""Real scans changed at random in several ways at once: shape, size, kernel and bone, and what is in view."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from changed_scans import (
    Case,
    blurred,
    crushed,
    denser,
    marrow,
    mirrored,
    noisy,
    places,
    sharpened,
    sized,
    warped,
    windowed,
)
from scipy.ndimage import zoom

Step = Callable[[Case, np.random.Generator, list[str]], tuple[str, Case]]
FIELD_MM, WAVE_MM, BEND_MM = 35.0, 2.0, 14.0
"""Knots of the smooth displacements lie so far apart, their spread, and how far the spine's ends are bent at most."""


def at_random(case: Case, seed: int, levels: list[str]) -> tuple[str, Case]:
    """A title and the case changed; ``levels`` are those of its masks."""
    rng = np.random.default_rng(seed)
    words = [f"seed {seed}"]
    for chance, step in STEPS:
        if rng.random() < chance:
            word, case = step(case, rng, levels)
            words.append(word)
    return ", ".join(words), case


def _mirror(case: Case, _: np.random.Generator, __: list[str]) -> tuple[str, Case]:
    return "mirrored", mirrored(case)


def warped_at_random(case: Case, rng: np.random.Generator, _: list[str] | None = None) -> tuple[str, Case]:
    at = places(case)
    shape = at.shape[1:]
    knots = [max(3, int(np.ceil(size * mm / FIELD_MM))) for size, mm in zip(shape, case.mm, strict=True)]
    scale = [size / count for size, count in zip(shape, knots, strict=True)]
    field = [zoom(rng.normal(0, WAVE_MM, knots), scale, order=3, mode="nearest", grid_mode=True) for _ in range(3)]
    ends = (2 * at[0] / at[0].max() - 1) ** 2
    forward_mm, sideways_mm = rng.uniform(-BEND_MM, BEND_MM, 2)
    source = at + np.stack([field[0], field[1] + forward_mm * ends, field[2] + sideways_mm * ends])
    return f"warped, ends {forward_mm:.0f} and {sideways_mm:.0f} mm", warped(case, source.astype(np.float32))


def _crush(case: Case, rng: np.random.Generator, levels: list[str]) -> tuple[str, Case]:
    level, front = str(rng.choice(levels)), rng.uniform(0.2, 0.6)
    back = rng.uniform(0.05, front)
    return f"{level} crushed {front:.2f} / {back:.2f}", crushed(case, level, front, back)


def _size(case: Case, rng: np.random.Generator, _: list[str]) -> tuple[str, Case]:
    factor = rng.uniform(0.82, 1.15)
    return f"size {factor:.2f}", sized(case, factor)


def _look(case: Case, rng: np.random.Generator, _: list[str]) -> tuple[str, Case]:
    """Kernel, noise or bone."""
    kinds: list[tuple[str, float, float, Callable[[Case, float], Case]]] = [
        ("sharp", 0, 0, lambda case, _: sharpened(case)),
        ("noise", 30, 120, noisy),
        ("blurred", 0.6, 1.4, blurred),
        ("marrow", -20, 250, marrow),
        ("denser", 0.6, 1.3, denser),
    ]
    word, low, high, change = kinds[rng.integers(len(kinds))]
    amount = rng.uniform(low, high)
    return f"{word} {amount:.1f}", change(case, amount)


def _view(case: Case, rng: np.random.Generator, _: list[str]) -> tuple[str, Case]:
    """A window of 90 to 260 mm, most of them narrow to the sides, some to the front and back."""
    length, mm = case.hu.shape[0], case.mm
    rows = int(rng.uniform(90, min(260, length * mm[0])) / mm[0])
    start = int(rng.uniform(0, length - rows))
    part = [slice(start, start + rows), slice(None), slice(None)]
    canal = np.argwhere(case.canal[part[0]])
    if len(canal) and rng.random() < 0.6:
        middle = canal.mean(axis=0) - np.array([0, 20, 0]) / mm
        for axis in (2, 1)[: 1 + (rng.random() < 0.6)]:
            reach = rng.uniform(45, 90) / mm[axis]
            part[axis] = slice(max(0, int(middle[axis] - reach)), int(middle[axis] + reach))
    sides = " x ".join("all" if side.start is None else f"{side.start}-{side.stop}" for side in part)
    return f"view {sides}", windowed(case, (part[0], part[1], part[2]))


STEPS: tuple[tuple[float, Step], ...] = (
    (0.3, _mirror),
    (0.7, warped_at_random),
    (0.35, _crush),
    (0.6, _size),
    (0.7, _look),
    (0.75, _view),
)
"""In this order, each with its chance."""
