"""Room for a phantom's case in OUT: what an earlier making left there goes, anybody else's files stay."""

from __future__ import annotations

import sys
from pathlib import Path

from leakseg.errors import ConfigError, OutputError

_PARTS = ("scans", "masks", "truth")


def make_room(out: Path, case_id: str) -> None:
    """Remove the case of that name that an earlier making left, and say so: its slices would stay among the new ones.

    Raises
    ------
    ConfigError
        Where a scan of that name lies there without truth: it may be somebody's own. Nothing is removed.
    OutputError
        Where the disk does not allow it.
    """
    scan = out / "scans" / case_id
    try:
        if not (scan.is_dir() and any(scan.iterdir())):
            return
        if not (out / "truth" / case_id / "truth.json").is_file():
            raise ConfigError(
                f"'{scan}' holds files and has no truth beside it: a scan of your own, or a making that did not end. "
                "Remove it, or name another folder."
            )
        sys.stderr.write(f"{case_id}: an earlier one is replaced\n")
        for part in _PARTS:
            for path in (out / part / case_id).glob("*"):
                path.unlink()
    except OSError as error:
        raise OutputError(f"An earlier {case_id} could not be replaced: {error.strerror or error}.") from error


def others_in(out: Path, made: set[str]) -> list[str]:
    """Cases in OUT that an earlier making left beside those made now."""
    return sorted(path.parent.name for path in (out / "truth").glob("*/truth.json") if path.parent.name not in made)
