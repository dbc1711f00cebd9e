"""The folder of a run: claimed by one run at a time, holding nothing but leakseg's results."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from leakseg.errors import ConfigError, OutputError
from leakseg.replaced import TEMPORARY

RUN = "run.json"
DRAWN = ".totalsegmentator"
"""Hidden folder of an OUT for masks that TotalSegmentator drew, each under its scan's digest."""
INVENTORY = ".inventory.json"
"""Hidden file of an OUT that tells what was found under SCANS; see `leakseg.batch.remembered`."""
_LOCK = ".leakseg.lock"
_OURS = {_LOCK, INVENTORY, f".{INVENTORY}.tmp", f".{RUN}.tmp"}
"""What a run that ended before its run.json was written may have left."""


@contextmanager
def claimed(out: Path) -> Iterator[Path]:
    """Hold OUT for this run alone; what a crashed run left unfinished is swept away.

    Raises
    ------
    ConfigError
        Where OUT holds things that are not leakseg's, cannot be written to, or belongs to a run under way.
    """
    from filelock import FileLock, Timeout

    if out.exists() and not out.is_dir():
        raise ConfigError(f"The results folder {out} is a file; name a new or an empty folder with -o.")
    with ExitStack() as held:
        try:
            out.mkdir(parents=True, exist_ok=True)
            _check_is_ours(out)
            held.enter_context(FileLock(out / _LOCK, timeout=0))
        except Timeout:
            raise ConfigError(
                f"Another run is writing to {out}; wait for it to end or choose another folder."
            ) from None
        except OSError as error:
            raise ConfigError(f"The results folder {out} cannot be used: {error.strerror or error}.") from error
        _sweep(out)
        try:
            yield out
        finally:
            _sweep(out)


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Tell a disk that does not take what is written to it in one sentence.

    Raises
    ------
    OutputError
        For any `OSError` inside.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"{what} could not be written: {error.strerror or type(error).__name__}.") from error


def write_json(path: Path, document: Any, *, mode: int = 0o666) -> None:
    """Write a JSON file at once whole; ``mode`` as the system's mask leaves it."""
    unfinished = path.with_name(f".{path.name}.tmp")
    with writing(path.name):
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=mode)
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        unfinished.write_text(text, encoding="utf-8", errors="backslashreplace")
        unfinished.replace(path)


def _check_is_ours(out: Path) -> None:
    """A new or an empty folder, or one with a run.json: anything else may be a scan folder."""
    if (out / RUN).is_file():
        return
    if any(entry.name not in _OURS for entry in out.iterdir()):
        raise ConfigError(
            f"The results folder {out} holds files that are not leakseg's; name a new or an empty folder with -o."
        )


def _sweep(out: Path) -> None:
    for unfinished in (*out.glob(f"{TEMPORARY}*"), *out.glob(f"{DRAWN}/{TEMPORARY}*")):
        shutil.rmtree(unfinished, ignore_errors=True)
