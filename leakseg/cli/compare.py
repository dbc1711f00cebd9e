"""`leakseg compare`: scans of one patient before surgery, after it and at follow-up."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from leakseg.cli import EXIT_TOLD
from leakseg.cli.options import Json, LabelScheme, Recipe

_HELP = "Its masks, as for run; default: auto (may be repeated)."


def compare(
    pre: Annotated[Path, typer.Argument(metavar="PRE", help="The scan before surgery.")],
    post: Annotated[Path, typer.Argument(metavar="POST", help="The scan after surgery.")],
    followup: Annotated[Path | None, typer.Argument(metavar="[FOLLOWUP]", help="The scan at follow-up.")] = None,
    *,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Folder for tables, pictures and the page.")],
    masks_pre: Annotated[list[str] | None, typer.Option("--masks-pre", metavar="SPEC", help=_HELP)] = None,
    masks_post: Annotated[list[str] | None, typer.Option("--masks-post", metavar="SPEC", help=_HELP)] = None,
    masks_followup: Annotated[list[str] | None, typer.Option("--masks-followup", metavar="SPEC", help=_HELP)] = None,
    label_scheme: LabelScheme = None,
    results: Annotated[
        list[Path] | None,
        typer.Option("--results", metavar="OUT", help="An earlier run whose leaks count (may be repeated)."),
    ] = None,
    pipeline: Recipe = None,
    as_json: Json = False,
) -> int:
    """Compare scans of one patient: cement removed, canal regained, bone resected and healed."""
    from leakseg.cli.run import check_scans
    from leakseg.config import load_config
    from leakseg.studies import compare as studies

    paths = [path for path in (pre, post, followup) if path is not None]
    check_scans(paths)
    masks = (masks_pre or (), masks_post or (), masks_followup or ())
    comparison = studies.compare(paths, masks, load_config(pipeline), label_scheme=label_scheme, results=results or ())
    studies.write_comparison(comparison, out)
    document = comparison.document
    if as_json:
        sys.stdout.write(studies.document_text(document))
    stream = sys.stderr if as_json else sys.stdout
    refused = [match["refused"] for told in document["registration"].values() for match in told if match["refused"]]
    for sentence in refused:
        stream.write(f"{sentence}.\n")
    stream.write(f"{studies.verdict(document)}\nAll of it: {out}\n")
    return EXIT_TOLD if refused or document["doubts"] else 0
