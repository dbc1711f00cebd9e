"""What the batch costs beside the work: ms a case, the parent's memory, a kill, and a resumed batch.

Everything is real but the work: scans on disk, inventory, plan, worker processes, results folders, ledger,
tables and pages. The work is a sleep that leaves a copy of a real report.

    python benchmarks/engine_overhead.py                                   10,000 small NIfTI scans
    python benchmarks/engine_overhead.py --cases 1000 --slices 100         1,000 DICOM studies of 100 slices
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

import leakseg.batch.job as engine
from leakseg.case import CaseOutcome, CaseRequest, outcome
from leakseg.config import load_config
from leakseg.geometry import Grid
from leakseg.nifti import write_nifti

SAMPLE = Path(__file__).parents[1] / "sample_dicom" / "expected" / "scans-three-leaks" / "report.json"
SLEEP = "LEAKSEG_BENCHMARK_SLEEP_S"
MB = 1e6


def sleep_case(request: CaseRequest) -> CaseOutcome:
    """Stands in for the work: waits, and leaves a folder as a finished case does."""
    seconds = float(os.environ[SLEEP])
    time.sleep(seconds)
    folder = request.out / request.source.case_id
    folder.mkdir(exist_ok=True)
    (folder / "report.json").write_bytes(SAMPLE.read_bytes())
    return outcome(request, "done", None, seconds)


class Watcher:
    """Notes the parent's memory as cases end, and when the first one was done anew."""

    def __init__(self) -> None:
        self.begun = time.perf_counter()
        self.ended_cases = 0
        self.first_done_s: float | None = None
        self.memory_mb: list[float] = []
        self.every = 1

    def found(self, cases: int) -> None:
        self.every = max(1, cases // 10)

    def ended(self, outcome: CaseOutcome) -> None:
        self.ended_cases += 1
        if outcome.status == "done" and self.first_done_s is None:
            self.first_done_s = time.perf_counter() - self.begun
        if self.ended_cases % self.every == 0:
            self.memory_mb.append(psutil.Process().memory_info().rss / MB)


def run(scans: Path, out: Path, workers: int) -> None:
    """One batch in this process; prints its figures as one line of JSON."""
    engine.run_case = sleep_case  # type: ignore[assignment]  # the one thing that is not real
    watcher = Watcher()
    config = load_config(None, {"workers": workers, "masks": ["builtin"], "write": ["json", "csv", "html"]})
    result = engine.run_job(engine.Job(scans=(scans,), out=out, config=config), watcher)
    figures = {
        "cpu_s": time.process_time(),
        "seconds": time.perf_counter() - watcher.begun,
        "first_done_s": watcher.first_done_s,
        "memory_mb": watcher.memory_mb,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **result.document["counts"],
    }
    sys.stdout.write(json.dumps(figures) + "\n")


def lay_out(folder: Path, cases: int, slices: int) -> None:
    """So many scans: small NIfTI files, or DICOM studies where slices are asked for."""
    if not slices:
        folder.mkdir(parents=True)
        grid = Grid((12, 8, 8), np.array([[0, 0, 4.0, 0], [0, 4.0, 0, 0], [2.0, 0, 0, 0], [0, 0, 0, 1]]))
        hu = np.random.default_rng(1).normal(0, 200, grid.shape).astype(np.int16)
        hu[:, :3] = -1000
        write_nifti(folder / "made.nii", grid, hu)
        made = (folder / "made.nii").read_bytes()
        (folder / "made.nii").unlink()
        for number in range(cases):
            (folder / f"case-{number:05}.nii").write_bytes(made)
        return
    templates = [_dicom_slice(number) for number in range(slices)]
    for number in range(cases):
        study = folder / f"case-{number:05}"
        study.mkdir(parents=True)
        for position, made in enumerate(templates):
            (study / f"{position:04}.dcm").write_bytes(made.replace(b"99999", f"{10000 + number}".encode()))


def _dicom_slice(number: int) -> bytes:
    """A CT slice of 8 x 8 whose UIDs hold 99999, for the case's number to be put there."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = f"1.2.826.99999.{number + 1}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = Dataset()
    ds.file_meta = meta
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = CTImageStorage, meta.MediaStorageSOPInstanceUID, "CT"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.826.99999.0.1", "1.2.826.99999.0.2"
    ds.FrameOfReferenceUID, ds.PatientIdentityRemoved = "1.2.826.99999.0.3", "YES"
    ds.ImageType, ds.SeriesNumber, ds.InstanceNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], 1, number + 1
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 2.0 * number], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness, ds.KVP, ds.ConvolutionKernel = [1, 1], 2, 120, "B40s"
    ds.Rows = ds.Columns = 8
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "HU"
    ds.PixelData = bytes(128)
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--slices", type=int, default=0, help="DICOM slices a study; 0: NIfTI")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sleep-ms", type=float, default=20.0)
    parser.add_argument("--run", nargs=2, type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        run(*args.run, args.workers)
        return
    with tempfile.TemporaryDirectory(prefix="leakseg-benchmark-") as made:
        scans, out = Path(made) / "scans", Path(made) / "out"
        lay_out(scans, args.cases, args.slices)
        os.environ[SLEEP] = str(args.sleep_ms / 1000)
        command = [sys.executable, __file__, "--workers", str(args.workers), "--run", str(scans), str(out)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as first:
            ledger = out / "ledger.jsonl"
            while not ledger.is_file() or len(ledger.read_bytes().splitlines()) < args.cases // 2:
                time.sleep(0.5)
            first.send_signal(signal.SIGKILL)
        done = len(ledger.read_bytes().splitlines())
        after_kill = _figures(command)
        whole = _figures([*command[:-1], f"{out}-whole"])
        resumed = _figures(command)
    ideal_s = args.cases * args.sleep_ms / 1000 / args.workers
    kind = f"DICOM studies of {args.slices} slices" if args.slices else "NIfTI scans"
    print(f"{args.cases} {kind}, {args.workers} workers, {args.sleep_ms:g} ms of sleep a case")
    print(f"overhead                {(whole['seconds'] - ideal_s) / args.cases * 1000:8.1f} ms a case")
    print(f"of it the parent's own  {whole['cpu_s'] / args.cases * 1000:8.1f} ms of processor time a case")
    print(
        "parent's memory         " + " ".join(f"{one:.0f}" for one in whole["memory_mb"]) + " MB, at each tenth",
        end="; ",
    )
    print(f"{whole['peak_mb']:.0f} MB at its highest, tables and page of all cases included")
    print(f"killed after {done} cases: first new case after {after_kill['first_done_s']:.1f} s", end=", ")
    print(f"{after_kill['skipped']} skipped, {after_kill['done']} done, {args.cases} in all")
    print(
        f"resumed, all done       {resumed['wall']:8.1f} s, whole process; {resumed['cpu_s']:.1f} s of processor time"
    )


def _figures(command: list[str]) -> dict[str, float]:
    begun = time.perf_counter()
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, float] = json.loads(told.stdout)
    return figures | {"wall": time.perf_counter() - begun}


if __name__ == "__main__":
    main()
