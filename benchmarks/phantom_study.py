"""The study behind "Right on hard scans": phantoms and implants made, analysed and scored, and the table printed.

    python benchmarks/phantom_study.py --out STUDY
    python benchmarks/phantom_study.py --out DEV --seed 7 --fraction 0.2     # while tuning

Nothing is counted here: `leakseg phantom make` and `implant`, `run` and `evaluate` do the work, and a step whose
output is there is not done again (`run` resumes by itself). Seeds: 901 and above are the examination's; whoever tunes
the classifier or the segmentation uses seeds under 900. OUT/cohort holds scans, masks and truth, OUT/results the
reports, OUT/scores the tables: study_table.md first, then misses.md, one by one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).parents[1]
RECIPE = PROJECT / "pipelines" / "phantom_study.toml"
DATA = PROJECT / ".." / "shared" / "data"
IMPLANTS: dict[str, tuple[str, ...]] = {
    "verse005": (
        "verse005/ct.nii.gz",
        *("--masks", "vertebrae={data}/verse005/vertebrae.nii.gz"),
        *("--masks", "canal={data}/verse005/canal_derived.nii.gz"),
        *("--label-scheme", "verse", "--levels", "L2,L4"),
    ),
    "totalsegmentator-ct": (
        "totalsegmentator_ct/ct.nii.gz",
        *("--masks", "vertebrae={data}/totalsegmentator_ct/seg_total_v2.nii.gz"),
        *("--label-scheme", "totalsegmentator", "--levels", "L1,L3"),
    ),
}
"""Real scans without cement, with their masks; passed over where they are not there."""
IMPLANT_COUNT = 28
"""Cases in each real scan: every type on every side at two levels, and three controls at each."""
DEFAULT_SEED = 2026


def main() -> int:
    options = _options()
    out: Path = options.out
    started = time.perf_counter()
    for name, step in (("make", _make), ("run", _run), ("evaluate", _evaluate)):
        before = time.perf_counter()
        step(options, out)
        print(f"{name}: {time.perf_counter() - before:.0f} s", file=sys.stderr)
    print(f"study: {time.perf_counter() - started:.0f} s; {out / 'scores' / 'study_table.md'}", file=sys.stderr)
    return 0


def _make(options: argparse.Namespace, out: Path) -> None:
    seed = str(options.seed)
    if not (out / "cohort" / "made").exists():
        _leakseg(
            *("phantom", "make", str(out / "cohort"), "--recipe", str(options.recipe), "--seed", seed),
            *("--fraction", str(options.fraction), "--workers", str(options.workers)),
        )
        (out / "cohort" / "made").touch()
    for name, (scan, *masks) in IMPLANTS.items():
        done = out / "cohort" / f"made-{name}"
        if options.no_implants or done.exists() or not (DATA / scan).is_file():
            continue
        count = max(1, round(IMPLANT_COUNT * options.fraction))
        _leakseg(
            *("phantom", "implant", str(DATA / scan), *(word.format(data=DATA) for word in masks)),
            *("-o", str(out / "cohort"), "--seed", seed, "--count", str(count), "--group", name),
        )
        done.touch()


def _run(options: argparse.Namespace, out: Path) -> None:
    _leakseg(
        *("run", str(out / "cohort" / "scans"), "--masks", str(out / "cohort" / "masks")),
        *("-o", str(out / "results"), "--write", "json,nifti", "--workers", str(options.workers)),
        *(("--classifier", options.classifier) if options.classifier else ()),
        allowed=(0, 1),
    )


def _evaluate(_options: argparse.Namespace, out: Path) -> None:
    cohort = out / "cohort"
    _leakseg("evaluate", str(out / "results"), str(cohort / "truth"), "-o", str(out / "scores"), allowed=(0, 1))


def _leakseg(*arguments: str, allowed: tuple[int, ...] = (0,)) -> None:
    done = subprocess.run([sys.executable, "-m", "leakseg", *arguments], check=False)
    if done.returncode not in allowed:
        raise SystemExit(f"leakseg {arguments[0]} ended with {done.returncode}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--fraction", type=float, default=1.0, help="share of each group's count")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--classifier", help="as for `leakseg run`")
    parser.add_argument("--no-implants", action="store_true", help="phantoms alone")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
