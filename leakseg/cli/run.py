"""`leakseg run` and `leakseg merge`: from options to the job, and its end told."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leakseg.cli import EXIT_INTERRUPTED
from leakseg.errors import ConfigError


def run_scans(
    scans: tuple[Path, ...],
    out: Path,
    choices: Mapping[str, Any],
    *,
    recipe: Path | None,
    anchors: Sequence[str],
    shard: str | None,
    resume: bool,
    as_json: bool,
) -> int:
    """Run the main job and tell how it ended; the command's exit code."""
    check_scans(scans)
    from leakseg.anchor import parse_anchor
    from leakseg.batch.job import Job, run_job
    from leakseg.batch.plan import parse_shard
    from leakseg.cli.progress import watching
    from leakseg.config import load_config

    job = Job(
        scans=scans,
        out=out,
        config=load_config(recipe, choices),
        anchors=tuple(parse_anchor(text) for text in anchors),
        shard=parse_shard(shard) if shard is not None else None,
        resume=resume,
    )
    with watching() as watcher:
        result = run_job(job, watcher)
    _tell(result.document, out, as_json=as_json)
    if result.exit_code == EXIT_INTERRUPTED:
        sys.stderr.write("leakseg: Interrupted; what is done is kept. Run the same command again to go on.\n")
    return result.exit_code


def merge_outs(outs: tuple[Path, ...], out: Path, *, as_json: bool) -> int:
    """Join results; the command's exit code."""
    from leakseg.batch.merge import merge

    result = merge(outs, out)
    _tell(result.document, out, as_json=as_json)
    return result.exit_code


def check_scans(scans: Sequence[Path]) -> None:
    """Whether every path the user named is there.

    Raises
    ------
    ConfigError
        Where one is not, or cannot be entered.
    """
    for path in scans:
        try:
            path.lstat()
            if path.is_dir():
                next(path.iterdir(), None)
        except FileNotFoundError:
            raise ConfigError(f"There is no file or folder '{path}'.") from None
        except OSError as error:
            raise ConfigError(f"'{path}' cannot be read: {error.strerror}.") from None


def _tell(document: dict[str, Any], out: Path, *, as_json: bool) -> None:
    from leakseg.cli.table import closing_table

    if as_json:
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    closing_table(document, out, stream=sys.stderr if as_json else sys.stdout)
