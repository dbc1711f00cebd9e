"""New names for levels, and for the motion segments between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from leakseg.anatomy import VertebraLevel
from leakseg.errors import ConfigError
from leakseg.stages.measure import exiting_root

_USUAL = tuple(level for level in VertebraLevel if level not in {VertebraLevel.T13, VertebraLevel.L6})
_BELOW: Mapping[VertebraLevel, tuple[VertebraLevel, ...]] = {
    VertebraLevel.T12: (VertebraLevel.T13, VertebraLevel.L1),
    VertebraLevel.L5: (VertebraLevel.L6, VertebraLevel.S1),
}
"""Where a spine may have one vertebra more."""


def new_names(
    present: Sequence[VertebraLevel], shift: int, single: Mapping[VertebraLevel, VertebraLevel]
) -> dict[VertebraLevel, VertebraLevel]:
    """The new name of each level present.

    Raises
    ------
    ConfigError
        Where a level is not there, two would bear one name, or their order down the spine would change.
    """
    if missing := [level for level in single if level not in present]:
        raise ConfigError(f"The case has no level {missing[0]} to rename; it has {', '.join(present)}.")
    names = {level: single.get(level, level) for level in present}
    if shift:
        names = {level: _shifted(level, shift) for level in present}
    told = list(names.items())
    for (upper, one), (lower, other) in pairwise(told):
        if one == other:
            raise ConfigError(f"{upper} and {lower} would both be {one}; rename every level, or use shift_levels.")
        if one.number > other.number:
            raise ConfigError(f"{upper} as {one} would lie above {lower} as {other}; rename every level that moves.")
    return names


def renamed_segment(segment: str, names: Mapping[VertebraLevel, VertebraLevel]) -> str:
    """A level or motion segment under the new names.

    Raises
    ------
    ConfigError
        Where its two levels would be neighbours no more.
    """
    parts = [VertebraLevel(part) for part in segment.split("/")]
    if not any(part in names for part in parts):
        return segment
    if len(parts) == 1:
        return names[parts[0]]
    upper, lower = parts
    if upper not in names:
        return f"{_above(names[lower])}/{names[lower]}"
    new = names[upper]
    usual = lower if lower in below_of(new) else next(reversed(below_of(new)), lower)
    below = names.get(lower, usual)
    if below not in below_of(new):
        raise ConfigError(f"{segment} would be {new}/{below}, which are no neighbours; rename every level that moves.")
    return f"{new}/{below}"


def motion_segment(segment: str) -> tuple[VertebraLevel, VertebraLevel] | None:
    """The two vertebrae of a motion segment such as L5/S1; None where the text is none."""
    upper, slash, lower = segment.partition("/")
    if not slash or upper not in set(VertebraLevel) or lower not in set(VertebraLevel):
        return None
    pair = VertebraLevel(upper), VertebraLevel(lower)
    return pair if pair[1] in below_of(pair[0]) else None


def root_of(segment: str) -> str | None:
    """The nerve root that leaves in a motion segment."""
    pair = motion_segment(segment)
    return None if pair is None else exiting_root(*pair)


def below_of(level: VertebraLevel) -> tuple[VertebraLevel, ...]:
    """The vertebrae that may follow a level, the usual one last; none below the last."""
    below = _BELOW.get(level)
    return below or tuple(VertebraLevel)[level.number : level.number + 1]


def _above(level: VertebraLevel) -> VertebraLevel:
    return _USUAL[_USUAL.index(level) - 1] if level in _USUAL else VertebraLevel.from_number(level.number - 1)


def _shifted(level: VertebraLevel, shift: int) -> VertebraLevel:
    if level not in _USUAL:
        raise ConfigError(f"The case has a {level}, so shift_levels is not clear; name each level under [levels].")
    place = _USUAL.index(level) + shift
    if not 0 <= place < len(_USUAL):
        raise ConfigError(f"shift_levels = {shift} would move {level} beyond the spine.")
    return _USUAL[place]
