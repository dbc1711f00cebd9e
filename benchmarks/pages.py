"""Pages and pictures beside the analysis itself: seconds, their ratio, and the page's size.

python benchmarks/pages.py SCANS...   (default: sample_dicom; masks as `--masks auto` finds them)
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import leakseg.analysis
from leakseg import case
from leakseg.batch import job
from leakseg.config import load_config
from leakseg.pictures import album
from leakseg.writers import html, png_pictures

SAMPLES = Path(__file__).parents[1] / "sample_dicom"


class Clock:
    """Runs the analysis and the writers of one process under a watch."""

    def __init__(self) -> None:
        self.analysis, self.rows = 0.0, []

    def analyse(self, *parts):
        start = time.perf_counter()
        findings = leakseg.analysis.analyse(*parts)
        self.analysis = time.perf_counter() - start
        return findings

    def write(self, result, folder, _names, *rest):
        steps = {}
        for name, work in {
            "draw": lambda: album(result),
            "png": lambda: png_pictures.write(result, folder),
            "html": lambda: html.write(result, folder),
        }.items():
            start = time.perf_counter()
            work()
            steps[name] = time.perf_counter() - start
        size = (folder / html.case_page.NAME).stat().st_size / 1e6
        ratio = sum(steps.values()) / self.analysis
        told = ", ".join(f"{name} {seconds:.2f}" for name, seconds in steps.items())
        print(
            f"{result.report.case_id}: analysis {self.analysis:.2f} s; {told} s; ratio {ratio:.2f}; page {size:.2f} MB"
        )
        return WRITE_CASE(result, folder, ("json",), *rest)

    def found(self, cases: int) -> None:
        """Part of `Watcher`."""

    def ended(self, outcome) -> None:
        """Part of `Watcher`."""


WRITE_CASE, RUN_CASE = case.write_case, case.run_case


def main() -> None:
    clock = Clock()
    case.write_case = clock.write
    scans = tuple(map(Path, sys.argv[1:])) or (SAMPLES,)
    job.run_case = lambda request: RUN_CASE(request, clock.analyse)
    with tempfile.TemporaryDirectory() as folder:
        job.run_job(job.Job(scans=scans, out=Path(folder) / "out", config=load_config(None, {"workers": 0})), clock)


if __name__ == "__main__":
    main()
