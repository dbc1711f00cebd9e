"""Received instances on disk: whole or not at all, under names that tell nothing of the patient.

``<inbox>/study-<hash>/<hash>.dcm`` holds the instances, ``<inbox>/study-<hash>.done`` the state of the
study that was worked on last. What is pending follows from the two, so a restart forgets nothing.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_PART, _REMOVED, _DONE = ".part-", ".removed-", ".done"
_STUDY = "study-"


def study_name(study_uid: str) -> str:
    """The folder's name of a study.

    >>> study_name("1.2.840.1")
    'study-f9a13599155b7052'
    """
    return _STUDY + _short(study_uid)


class Inbox:
    """Studies as they come in; safe to use from several threads of one process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self._lock = threading.Lock()
        for path in folder.glob(f"{_PART}*"):
            path.unlink(missing_ok=True)
        for path in folder.glob(f"{_REMOVED}*"):
            shutil.rmtree(path, ignore_errors=True)

    def keep(self, data: bytes, *, study_uid: str, instance_uid: str) -> tuple[str, bool]:
        """Write one instance down to the disk; the study's name, and whether anything is new.

        An instance that comes again as it is changes nothing; one with other content takes the place of
        the first.

        Raises
        ------
        OSError
            Where the disk does not take it; nothing is left behind.
        """
        study = study_name(study_uid)
        part = self.folder / f"{_PART}{secrets.token_hex(8)}"
        try:
            _write(part, data)
            with self._lock:
                folder = self.folder / study
                if not folder.is_dir():
                    folder.mkdir(mode=0o700)
                    _to_disk(self.folder)
                target = folder / f"{_short(instance_uid)}.dcm"
                if target.is_file() and target.stat().st_size == len(data) and target.read_bytes() == data:
                    return study, False
                part.replace(target)
                _to_disk(folder)
        finally:
            part.unlink(missing_ok=True)
        return study, True

    def studies(self) -> Iterator[str]:
        """Studies that are here, done or not."""
        yield from sorted(path.name for path in self.folder.glob(f"{_STUDY}*") if path.is_dir())

    def state(self, study: str) -> str:
        """What the study consists of, as a digest; it changes with every instance that comes."""
        lines = []
        for path in (self.folder / study).iterdir():
            known = path.stat()
            lines.append(f"{path.name} {known.st_size} {known.st_mtime_ns}\n")
        return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()

    def is_done(self, study: str) -> bool:
        """Whether the study was worked on as it is now."""
        mark = self._mark(study)
        return mark.is_file() and mark.read_text(encoding="ascii", errors="replace") == self.state(study)

    def set_done(self, study: str, state: str) -> None:
        """Remember that the study in this state was worked on."""
        part = self.folder / f"{_PART}{secrets.token_hex(8)}"
        try:
            _write(part, state.encode("ascii"))
            part.replace(self._mark(study))
            _to_disk(self.folder)
        finally:
            part.unlink(missing_ok=True)

    def done_since(self, study: str) -> float | None:
        """Seconds since the study was done; None where it never was."""
        try:
            return time.time() - self._mark(study).stat().st_mtime
        except FileNotFoundError:
            return None

    def remove(self, study: str) -> bool:
        """Remove a study, unless something came since it was done."""
        gone = self.folder / f"{_REMOVED}{secrets.token_hex(8)}"
        with self._lock:
            if not self.is_done(study):
                return False
            (self.folder / study).rename(gone)
            self._mark(study).unlink(missing_ok=True)
        shutil.rmtree(gone, ignore_errors=True)
        return True

    def _mark(self, study: str) -> Path:
        return self.folder / f"{study}{_DONE}"


def _short(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:16]


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "wb", buffering=0) as stream:  # noqa: PTH123 - a handle, not a path: it bears the mode 0600
        view = memoryview(data)
        while view:
            view = view[stream.write(view) :]
        os.fsync(handle)


def _to_disk(folder: Path) -> None:
    """Have a folder's entries on the disk."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
