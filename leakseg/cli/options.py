"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Scans = Annotated[list[Path], typer.Argument(metavar="SCANS...", help="Folders, of any depth, or image files.")]
Out = Annotated[
    Path, typer.Option("-o", "--out", metavar="OUT", help="Folder for the results: new, or of an earlier run.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, and nothing else there.")]
_MASKS = typer.Option("--masks", metavar="SPEC", help="auto, a file, a folder, or role=path (may be repeated).")
Masks = Annotated[list[str], _MASKS]
LabelScheme = Annotated[
    str | None,
    typer.Option("--label-scheme", metavar="NAME|FILE", help="What label numbers mean: verse, spineps, …, a TOML."),
]
Recipe = Annotated[
    Path | None, typer.Option("--pipeline", metavar="FILE.toml", help="A recipe; what is chosen here wins over it.")
]
MaskSpecs = Annotated[list[str] | None, _MASKS]
