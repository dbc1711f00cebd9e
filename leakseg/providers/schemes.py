"""Label schemes: which number means which structure, by name and never by guess.

The same number means different things to different tools (26 is S1, L6 or the sacrum), so a labelmap is
read only under a scheme that was named, or with names that stand beside it or in it. A whole sacrum is
level ``S1``, alone or together with an S1 of its own.

Sources: TotalSegmentator `map_to_binary.py` (tasks ``total`` v1 and v2), VerSe (Sekuboyina 2021,
doi 10.1016/j.media.2021.102166), SPINEPS (Möller 2024, doi 10.1007/s00330-024-11155-y), CADS
`bodyparts_labelmaps.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from leakseg.anatomy import VertebraLevel
from leakseg.errors import ConfigError
from leakseg.providers.names import Meaning, Structure, looks_like_level, meaning_of


@dataclass(frozen=True)
class Scheme:
    """What each number of a labelmap means; numbers that are not here are unknown."""

    name: str
    numbers: Mapping[int, Meaning]


def _levels(first: int, *names: str) -> dict[int, Meaning]:
    return {first + position: VertebraLevel(name) for position, name in enumerate(names)}


_C = tuple(f"C{n}" for n in range(1, 8))
_T = tuple(f"T{n}" for n in range(1, 13))
_L = tuple(f"L{n}" for n in range(1, 6))
_UPWARD = (*reversed(_L), *reversed(_T), *reversed(_C))
_VERSE_VERTEBRAE = {**_levels(1, *_C, *_T, *_L, "L6"), 28: VertebraLevel.T13}


def _others(last: int) -> dict[int, Meaning]:
    return dict.fromkeys(range(1, last + 1), Structure.OTHER)


SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme("verse", {**_VERSE_VERTEBRAE, 26: VertebraLevel.S1, 27: Structure.OTHER}),
        Scheme(
            "totalsegmentator",
            {**_others(117), 25: VertebraLevel.S1, **_levels(26, "S1", *_UPWARD), 79: Structure.CORD},
        ),
        Scheme("totalsegmentator_v1", {**_others(104), **_levels(18, *_UPWARD), 92: VertebraLevel.S1}),
        Scheme(
            "spineps",
            {
                **_VERSE_VERTEBRAE,
                26: VertebraLevel.S1,
                29: VertebraLevel.S2,
                **dict.fromkeys((27, *range(30, 60)), Structure.OTHER),
                60: Structure.CORD,
                61: Structure.CANAL,
                **dict.fromkeys(range(62, 100), Structure.OTHER),
                **dict.fromkeys(range(100, 134), Structure.DISC),
                **dict.fromkeys(range(200, 234), Structure.OTHER),
            },
        ),
        Scheme(
            "cads",
            {**_others(167), **_levels(18, *_UPWARD), 105: Structure.CANAL, 167: Structure.CORD},
        ),
    )
}
"""Schemes by name. ``spineps`` is its instance labelmap (``seg-vert``)."""

SPINEPS_PARTS = Scheme(
    "spineps",
    {
        26: Structure.OTHER,
        **dict.fromkeys(range(41, 100), Structure.OTHER),
        49: Structure.BODY,
        50: Structure.BODY,
        60: Structure.CORD,
        61: Structure.CANAL,
        100: Structure.DISC,
    },
)
"""SPINEPS' semantic labelmap (``seg-spine``): parts without a level. Its 26 is the sacrum."""

BODY_AND_DISC = {1: Structure.BODY, 2: Structure.DISC}
"""TotalSegmentator's task ``vertebrae_body``, where bodies and discs share a file."""


def read_scheme(spec: str) -> Scheme:
    """A scheme by its name, or from the user's TOML file.

    Raises
    ------
    ConfigError
        Where there is no such scheme, or the file does not name numbers.
    """
    if spec in SCHEMES:
        return SCHEMES[spec]
    path = Path(spec)
    if not spec.lower().endswith(".toml"):
        raise ConfigError(
            f"There is no label scheme named '{spec}'; choose one of {', '.join(SCHEMES)}, or name a TOML file that "
            'gives numbers names (20 = "L1").'
        )
    return read_labels_file(path)


def read_labels_file(path: Path) -> Scheme:
    """A TOML file of ``number = "name"``, at its top level or in a table ``[labels]``.

    Raises
    ------
    ConfigError
        Where it cannot be read, a key is no number, a vertebra does not exist, or no name is known.
    """
    try:
        return _scheme_in(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("The labels file given as label scheme does not exist.") from None
    except OSError as error:
        raise ConfigError(f"The labels file cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # no TOML, a number of thousands of digits, nested without end
        raise ConfigError(f"The labels file cannot be read as TOML: {error}.") from error


@lru_cache
def _scheme_in(text: str) -> Scheme:
    """The scheme that a labels file's text makes; the cases of a batch have labels files of one text."""
    table: Mapping[str, Any] = tomllib.loads(text)
    entries = table.get("labels", {key: value for key, value in table.items() if not isinstance(value, dict)})
    if not isinstance(entries, dict) or not entries:
        raise ConfigError('The labels file names no numbers; lines like 20 = "L1" are expected.')
    names = {}
    for key, value in entries.items():
        if not (key.isascii() and key.isdigit() and len(key) <= 9) or not isinstance(value, str):
            raise ConfigError(f'The labels file holds {key} = {value!r}; lines like 20 = "L1" are expected.')
        names[int(key)] = value
    scheme = scheme_of_names(names, "labels.toml")
    if not any(meaning is not Structure.OTHER for meaning in scheme.numbers.values()):
        raise ConfigError('The labels file names no vertebra and no canal; names such as "L1" or "canal" are expected.')
    return scheme


def scheme_of_names(names: Mapping[int, str], source: str) -> Scheme:
    """The scheme that a table of names makes; names that are none of the spine's are `Structure.OTHER`.

    Raises
    ------
    ConfigError
        Where a name is written as a vertebra's and there is no such vertebra.
    """
    numbers: dict[int, Meaning] = {}
    for number, name in names.items():
        meaning = meaning_of(name)
        if meaning is None and looks_like_level(name):
            raise ConfigError(f"The label names give number {number} the name '{name}', which is no vertebra.")
        numbers[number] = meaning or Structure.OTHER
    return Scheme(source, numbers)
