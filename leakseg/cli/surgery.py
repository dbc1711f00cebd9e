"""`leakseg phantom surgery`: phantom patients before surgery, after it and at follow-up."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from leakseg.cli.options import Json
from leakseg.cli.room import make_room


def surgery(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for scans/, masks/ and truth/.")],
    count: Annotated[int, typer.Option("--count", metavar="N", min=1, help="How many patients.")] = 4,
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="The same seed gives the same bytes.")] = 1,
    as_json: Json = False,
) -> int:
    """Make patients before surgery, after it and at follow-up, with truth."""
    from leakseg.phantom.surgery import make_patients, write_patient

    told = []
    for patient in make_patients(count, seed):
        for name in patient.scans:
            make_room(out, f"{patient.case_id}-{name}")
        write_patient(patient, out)
        told.append({"case_id": patient.case_id, **patient.truth})
        leak = patient.truth["leaks"][0]
        sys.stderr.write(
            f"{patient.case_id}: {leak['type']} {leak['level']}, {leak['removed_mm3']:.0f} mm³ removed, "
            f"{patient.truth['bone']['resected_mm3']:.0f} mm³ of bone resected\n"
        )
    if as_json:
        sys.stdout.write(json.dumps({"cases": told}, indent=2) + "\n")
    else:
        made = f"{len(told)} patient{'s' * (len(told) != 1)}"
        sys.stdout.write(f"{made} in {out}: scans/<case>-pre, -post and -followup, masks/, truth/\n")
    return 0
