"""The figures of `leakseg compare`: phantom patients whose removal, resection, healing and motion are known.

    python benchmarks/surgery_table.py [--count 6] [--seed 901] [--keep DIR]

Prints a line a scan pair and the worst of each column. Errors are in percent of the true volume; ``registration`` is
the worst vertebra's root mean square distance over its bone from where it truly lies, in voxels. Where a leak was not
found or a vertebra refused, there is no error (-), and the registration is infinite. Seeds of 900 and more are the
examination's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from leakseg.nifti import read_image

COLUMNS = ("removed, error %", "resected, error %", "healed, error in points", "registration, voxels")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--seed", type=int, default=901)
    parser.add_argument("--keep", type=Path)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="surgery-table-") as folder:
        rows = list(measured(told.keep or Path(folder), told.count, told.seed))
    print(f"seed {told.seed}, {told.count} patients\n{'':20s}" + "".join(f"{name:>25s}" for name in COLUMNS))
    for title, row in rows:
        print(f"{title:20s}" + "".join("-".rjust(25) if value is None else f"{value:25.2f}" for value in row))
    columns = zip(*(row for _, row in rows), strict=True)
    worst = [max((abs(value) for value in column if value is not None), default=None) for column in columns]
    print(f"{'worst':20s}" + "".join("-".rjust(25) if value is None else f"{value:25.2f}" for value in worst))
    return 0


def measured(out: Path, count: int, seed: int) -> Any:
    """Of every patient and later scan: its name, and the errors in the order of `COLUMNS`."""
    _leakseg("phantom", "surgery", str(out), "--count", str(count), "--seed", str(seed))
    for path in sorted((out / "truth").glob("*/surgery.json")):
        case, truth = path.parent.name, json.loads(path.read_text(encoding="utf-8"))
        scans = [str(out / "scans" / f"{case}-{name}") for name in ("pre", "post", "followup")]
        _leakseg("compare", *scans, "-o", str(out / f"compared-{case}"), allowed=(0, 1))
        document = json.loads((out / f"compared-{case}" / "compare.json").read_text(encoding="utf-8"))
        for name in document["registration"]:
            yield f"{case} {name}", _errors(document, truth, name, out / "masks" / f"{case}-pre")


def _errors(document: Any, truth: Any, name: str, masks: Path) -> list[float | None]:
    true, bone = truth["leaks"][0], truth["bone"]
    leaks = [leak for leak in document["leaks"] if leak["type"] == true["type"] and leak["level"] == true["level"]]
    told = [leak[f"removed_{name}_mm3"] for leak in leaks]
    removed = sum(told) if told and None not in told else None
    own = next((one for one in document["bone"] if one["level"] == bone["level"]), None)
    healed = own["healed_percent"] if own and name == "followup" else None
    return [
        None if removed is None else 100 * (removed / true["removed_mm3"] - 1),
        None if own is None else 100 * (own["resected_mm3"] / bone["resected_mm3"] - 1),
        None if healed is None else healed - bone["healed_percent"],
        max(_away(match, truth["poses"][name][match["level"]], masks) for match in document["registration"][name]),
    ]


def _away(match: Any, pose: Any, masks: Path) -> float:
    """Root mean square distance over the vertebra's bone from its true place, voxels; infinite where refused."""
    if match["matrix"] is None:
        return float("inf")
    grid, labels = read_image(masks / "vertebrae.nii.gz")
    lines = (masks / "labels.toml").read_text(encoding="utf-8").splitlines()
    number = next(int(line.split("=")[0]) for line in lines if f'"{match["level"]}"' in line)
    bone = grid.to_patient(np.argwhere(labels == number)[::50])
    found, true = np.array(match["matrix"]), np.array(pose)
    away = bone @ (found - true)[:3, :3].T + (found - true)[:3, 3]
    return float(np.sqrt((away**2).sum(axis=1).mean()) / np.cbrt(grid.voxel_volume_mm3))


def _leakseg(*arguments: str, allowed: tuple[int, ...] = (0,)) -> None:
    done = subprocess.run([sys.executable, "-m", "leakseg", *arguments], capture_output=True, text=True, check=False)
    if done.returncode not in allowed:
        raise SystemExit(f"leakseg {arguments[0]} ended with {done.returncode}: {done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
