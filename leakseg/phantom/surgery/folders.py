"""A phantom patient on disk: each scan as a case of its own, and ``truth/<case>/surgery.json``."""

from __future__ import annotations

import json
from pathlib import Path

from leakseg.phantom.folders import write_phantom
from leakseg.phantom.surgery.patient import Operated


def write_patient(patient: Operated, out: Path) -> None:
    """Write scans, masks and truth of one patient under OUT; the same bytes every time."""
    for name, phantom in patient.scans.items():
        write_phantom(phantom, out, f"{patient.case_id}-{name}", seed_text=f"{patient.seed_text} {name}")
    folder = out / "truth" / patient.case_id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "surgery.json").write_text(json.dumps(patient.truth, indent=2) + "\n", encoding="utf-8")
