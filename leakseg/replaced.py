"""Results of an earlier run that new ones take the place of: removed, or kept in a hidden folder."""

from __future__ import annotations

import json
import secrets
import shutil
from hashlib import sha256
from pathlib import Path

from leakseg.findings import QualityNote

TEMPORARY = ".tmp-"
"""Names of unfinished case folders begin with this."""
SUPERSEDED = ".superseded"
"""Hidden folder of an OUT for results of cases refused or failed since, and of series whose name went to another."""
AMENDED = ".amended"
"""Hidden folder of an OUT for amended results that were replaced since; nothing is removed from it."""
REPORT = "report.json"
ORIGINAL = "original"
"""Folder of an amended case in which the program's first result is kept, every file of it."""
OTHER_SERIES = "other_series_set_aside"
"""Code of the note that the results of another series lay under the case's name."""


def set_aside(out: Path, case_id: str, series_uid: str | None = None) -> None:
    """Take the earlier results of a case that has none now out of sight.

    They are kept in a hidden folder until the next of their kind: a misspelt ``--masks`` that refuses every
    case must not cost the results of a week. A folder that is not one of ours is left alone. Results of a series
    other than ``series_uid`` are another patient's, perhaps: no later case sweeps them away.
    """
    folder = out / case_id
    if _is_ours(folder):
        kept, name = out / SUPERSEDED, case_id
        if other := _other_series(folder, series_uid):
            name = f"{case_id}-{sha256(other.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
        if (folder / ORIGINAL).is_dir():
            kept, name = out / AMENDED, f"{case_id}-{secrets.token_hex(4)}"  # a reader's work is never swept away
        kept.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(kept / name, ignore_errors=True)
        folder.rename(kept / name)


def make_room(out: Path, case_id: str, series_uid: str | None) -> None:
    """Remove the results that new ones are about to replace; a reader's, and another series', are set aside."""
    folder = out / case_id
    if (folder / ORIGINAL).is_dir() or _other_series(folder, series_uid):
        set_aside(out, case_id, series_uid)
    if _is_ours(folder):
        outdated = out / f"{TEMPORARY}{secrets.token_hex(8)}"
        folder.rename(outdated)
        shutil.rmtree(outdated, ignore_errors=True)


def notes_of_replaced(folder: Path, series_uid: str | None) -> tuple[QualityNote, ...]:
    """What is to be said of the results that lie in the case's place before new ones take it."""
    amended = (folder / ORIGINAL).is_dir()
    if _other_series(folder, series_uid):
        sentence = (
            f"The results folder held another series under this case's name; its results are kept in the hidden "
            f"folder {AMENDED if amended else SUPERSEDED} of the results and are told no more. Give each study a "
            "results folder of its own, or analyse the folder above them all."
        )
        return (QualityNote(OTHER_SERIES, "info", sentence),)
    if not amended:
        return ()
    sentence = (
        f"A reader had amended an earlier result of this case; it is kept in the hidden folder {AMENDED} "
        "of the results and says nothing here. Amend this result where the corrections still hold."
    )
    return (QualityNote("amendment_set_aside", "warning", sentence),)


def _is_ours(folder: Path) -> bool:
    return (folder / REPORT).is_file() and not folder.is_symlink()


def _other_series(folder: Path, series_uid: str | None) -> str | None:
    """The series whose results lie there, where it is another one; None where either is not known."""
    if series_uid is None or not _is_ours(folder):
        return None
    try:
        before = json.loads((folder / REPORT).read_bytes())["series"]["series_instance_uid"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return before if isinstance(before, str) and before != series_uid else None
