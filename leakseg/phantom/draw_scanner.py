"""A scanner drawn from a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from leakseg.phantom.kernels import KERNELS
from leakseg.phantom.look import ScannerLook, noise_of
from leakseg.phantom.recipe.scanner import OneOrRange, ScannerRecipe

_Name = TypeVar("_Name")


def draw_scanner(recipe: ScannerRecipe, rng: np.random.Generator) -> ScannerLook:
    """Draw a scanner; what the recipe fixes takes nothing from the source of chance."""
    psf, noise = float(rng.uniform(*recipe.psf_sigma_mm)), float(rng.uniform(*recipe.noise_hu))
    kernel = _choose(recipe.kernels, rng)
    kvp = _choose(recipe.kvps, rng)
    slice_mm = drawn(recipe.slice_mm, rng)
    overlap = drawn(recipe.overlap_fraction, rng)
    if recipe.tube_mas is not None:
        noise = noise_of(
            tube_mas=drawn(recipe.tube_mas, rng),
            patient_mm=drawn(recipe.patient_mm, rng),
            slice_mm=slice_mm,
            kvp=kvp,
            gain=KERNELS[kernel].noise_gain if kernel in KERNELS else 1.0,
        )
    return ScannerLook(
        kernel_name=kernel,
        psf_sigma_mm=psf,
        noise_hu=noise,
        clip_hu=recipe.clip_hu,
        kvp=kvp,
        slice_mm=slice_mm,
        increment_mm=slice_mm * (1.0 - overlap),
        pixel_mm=drawn(recipe.pixel_mm, rng),
        field_mm=recipe.field_mm,
        margin_mm=recipe.margin_mm,
        streak_strength=drawn(recipe.streak_strength, rng),
        tilt_deg=drawn(recipe.tilt_deg, rng),
        position=_choose(recipe.positions, rng),
        turn_deg=(drawn(recipe.turn_deg[0], rng), drawn(recipe.turn_deg[1], rng), drawn(recipe.turn_deg[2], rng)),
        off_centre_mm=(drawn(recipe.off_centre_mm[0], rng), drawn(recipe.off_centre_mm[1], rng)),
        moves=_moves(drawn(recipe.motion_mm, rng), recipe.motions, rng),
    )


def drawn(value: OneOrRange, rng: np.random.Generator) -> float:
    """The value itself, or one from between the ends; ends that meet draw nothing."""
    if isinstance(value, tuple):
        return float(rng.uniform(*value)) if value[1] > value[0] else float(value[0])
    return float(value)


def _choose(weights: Mapping[_Name, float], rng: np.random.Generator) -> _Name:
    names = list(weights)
    if len(names) == 1:
        return names[0]
    shares = np.array([weights[name] for name in names], dtype=np.float64)
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]


def _moves(most_mm: float, count: int, rng: np.random.Generator) -> tuple[tuple[float, float, float], ...]:
    if most_mm <= 0:
        return ()
    places = sorted(rng.uniform(0.1, 0.9, size=count).tolist())
    return tuple((place, *rng.uniform(-most_mm, most_mm, size=2).tolist()) for place in places)
