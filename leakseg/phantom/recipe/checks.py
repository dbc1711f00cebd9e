"""Whether a recipe's values make sense, beyond their types: the first that does not, told in one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from math import inf, isfinite
from typing import Any, TypeAlias

from leakseg.errors import ConfigError
from leakseg.findings import LeakType
from leakseg.phantom.recipe.cases import CaseRecipe, DrawRecipe, LeakRecipe
from leakseg.phantom.recipe.cement import CementRecipe
from leakseg.phantom.recipe.distractors import DistractorRecipe

LEAK_TYPES = frozenset({*LeakType, "none"} - {LeakType.UNDETERMINED})
"""What may be drawn; ``none``: a treated spine without a leak."""


@dataclass(frozen=True)
class Limits:
    """Between which ends a value lies, and what to say where it does not."""

    least: float
    most: float
    words: str
    without_least: bool = False

    def hold(self, value: float) -> bool:
        """Whether the value lies between them."""
        return self.least <= value <= self.most and not (self.without_least and value == self.least)


_LENGTH = Limits(0.0, inf, "lies above 0", without_least=True)
_AMOUNT = Limits(0.0, inf, "is at least 0")
_SHARE = Limits(0.0, 1.0, "lies between 0 and 1")
_COUNT = Limits(1, inf, "is at least 1")

_LIMITS: Mapping[str, Limits] = {
    **dict.fromkeys(
        (
            *("slice_mm", "pixel_mm", "field_mm", "tube_mas", "patient_mm", "scale", "narrow_field_mm", "cortex_mm"),
            *("trabecula_mm", "volume_mm3", "density_hu", "leak_volume_mm3"),
        ),
        _LENGTH,
    ),
    **dict.fromkeys(
        (
            *("psf_sigma_mm", "noise_hu", "streak_strength", "motion_mm", "motions", "neighbours", "retropulsion_mm"),
            *("scoliosis_cobb_deg", "trabecular_grain", "last_rib_mm", "bubbles", "missing_slices"),
        ),
        _AMOUNT,
    ),
    **dict.fromkeys(
        (
            *("size_spread", "scoliosis_share", "fracture_share", "other_fracture_share", "fracture_loss"),
            *("cleft_share", "t13_share", "l6_share", "sacralised_share", "cropped_share", "narrow_share"),
            *("clump_fraction", "detached_fraction", "combined_fraction", "bridging_fraction"),
        ),
        _SHARE,
    ),
    **dict.fromkeys(("leaks_per_case", "treated_levels"), _COUNT),
    "overlap_fraction": Limits(0.0, 0.95, "lies between 0 and 0.95"),
    "tilt_deg": Limits(-45.0, 45.0, "lies between -45 and 45"),
}
"""By the name of the key, wherever it stands; a name that is not here only has to be a finite number."""
_NO_RANGES = frozenset({"field_mm", "narrow_field_mm", "off_centre_mm", "missing_slices"})
_NOT_EMPTY: Mapping[type, tuple[str, ...]] = {DrawRecipe: ("leaks", "levels"), CementRecipe: ("patterns", "edges")}
_MAY_BE_EMPTY = "mask_fault.weights"

Place: TypeAlias = tuple[str, ...]


def check_values(recipe: Any) -> None:
    """Check every value of a recipe, group by group too.

    Raises
    ------
    ConfigError
        Where one makes no sense.
    """
    for place, problem in _problems(recipe, ()):
        raise ConfigError(f"The phantom recipe is wrong at {'.'.join(place)}: {problem}.")


def check_leak_types(names: tuple[str, ...]) -> None:
    """Check names of leak types.

    Raises
    ------
    ConfigError
        Where one is none that can be made.
    """
    for name in names:
        if name not in LEAK_TYPES:
            raise ConfigError(f"There is no leak type '{name}'; choose from {', '.join(sorted(LEAK_TYPES))}.")


def names_a_folder(name: str) -> bool:
    """Whether a case may be called so: a folder of that name lies under OUT, and nowhere else."""
    return name.isprintable() and name[:1] not in {"", "."} and not {*name} & {*"/\\"}


def _problems(part: Any, place: Place) -> Iterator[tuple[Place, str]]:
    yield from _of_its_own(part, place)
    for item in fields(part):
        value, here = getattr(part, item.name), (*place, item.name)
        if is_dataclass(value):
            yield from _problems(value, here)
        elif isinstance(value, dict):
            yield from _of_weights(value, here)
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            for number, one in enumerate(value):
                yield from _problems(one, (*here, str(number)))
        else:
            limits = _SHARE if isinstance(part, DistractorRecipe) else _LIMITS.get(item.name)
            yield from _of_numbers(value, here, limits)


def _of_its_own(part: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """What a part of the recipe asks for beyond its numbers."""
    for name in _NOT_EMPTY.get(type(part), ()):
        if not getattr(part, name):
            yield (*place, name), "name at least one"
    if isinstance(part, DrawRecipe):
        check_leak_types(part.leaks)
    if isinstance(part, LeakRecipe) and part.type is LeakType.UNDETERMINED:
        yield (*place, "type"), "no undetermined leak can be made; name the place where it lies"
    if isinstance(part, CaseRecipe) and not names_a_folder(part.id):
        yield (*place, "id"), f"{part.id!r} is no name for a folder: no '/' or '\\', and no '.' at its beginning"
    count = getattr(part, "count", 0)
    if hasattr(part, "recipe") and count < 1:
        yield (*place, "count"), f"a group has at least one case, not {count}"


def _of_weights(weights: Mapping[Any, float], place: Place) -> Iterator[tuple[Place, str]]:
    if not weights:
        if ".".join(place[-2:]) != _MAY_BE_EMPTY:
            yield place, "name at least one, with its weight"
        return
    if not all(isfinite(weight) and weight >= 0 for weight in weights.values()) or not sum(weights.values()) > 0:
        yield place, "weights are at least 0, and one of them more"
    if not all(isfinite(name) and name > 0 for name in weights if isinstance(name, float)):
        yield place, "a tube voltage lies above 0"


def _of_numbers(value: Any, place: Place, limits: Limits | None) -> Iterator[tuple[Place, str]]:
    if isinstance(value, tuple):
        for one in value:
            yield from _of_numbers(one, place, limits)
        ends = [one for one in value if isinstance(one, int | float)]
        if place[-1] not in _NO_RANGES and len(ends) == len(value) == 2 and ends[0] > ends[1]:
            yield place, f"a range goes from its lower end to its upper one, not from {ends[0]:g} to {ends[1]:g}"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if not isfinite(value):
            yield place, f"{value} is no finite number"
        elif limits is not None and not limits.hold(value):
            yield place, f"{value:g} does not do; the value {limits.words}"
