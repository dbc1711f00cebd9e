"""Speed and memory, side by side in one run: leakseg against reading the bytes, SimpleITK, dcm2niix, a user's script.

    python benchmarks/speed.py [--keep DIR] [--slices 400] [--repeat 3] [--quick] [--readme]

The case is a phantom at 0.4 mm pixels, 512 x 512, made here (DIR keeps it). Every tool runs in a process of its own;
the figures are its CPU seconds (user and system), the least of the repeats, so that a busy machine does not count;
importing libraries, and what else is done once in a worker's life, is counted apart. Modules are compiled once and
kept, as pip does, whatever PYTHONDONTWRITEBYTECODE says. Two workers are held against one by the clock, for ten cases
beyond the first of each, and beside it stands what two processes of plain arithmetic gain here: the machine's bound.
``--quick`` leaves out what takes minutes; ``--readme`` prints README's table.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RECIPE = """
seed = 5
[spine]
levels = ["T11", "T12", "L1", "L2", "L3", "L4", "L5"]
[scanner]
slice_mm = {slice_mm}
pixel_mm = 0.4
field_mm = [204.8, 204.8]
[[case]]
id = "case"
treated = ["L1", "L3"]
[[case.leak]]
level = "L1"
type = "epidural"
[[case.leak]]
level = "L3"
type = "venous"
"""
SYNTAXES = {"JPEG lossless": "JPEGLosslessProcess14_1", "JPEG 2000": "JPEG2000Lossless"}
FULL = "json,csv,nifti,seg,sr,html,png"


def make_case(folder: Path, slices: int) -> Path:
    """A phantom of at least so many slices; the rest taken off, the spine in the middle."""
    root = folder / f"case-{slices}"
    if (root / "done").exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    (root / "recipe.toml").write_text(RECIPE.format(slice_mm=round(0.7 * 346 / slices, 4)))
    subprocess.run(
        [sys.executable, "-m", "leakseg", "phantom", "make", str(root), "--recipe", str(root / "recipe.toml")],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (root / "done").touch()
    return root


def encoded(case: Path, name: str) -> Path:
    """The case's slices in another transfer syntax, by GDCM; the masks are linked."""
    import gdcm

    root = case.with_name(f"{case.name}-{name.replace(' ', '-')}")
    if (root / "done").exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    (root / "scans" / "case").mkdir(parents=True)
    shutil.copytree(case / "masks", root / "masks")
    for path in sorted((case / "scans" / "case").iterdir()):
        reader = gdcm.ImageReader()
        reader.SetFileName(str(path))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, SYNTAXES[name])))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(root / "scans" / "case" / path.name))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
    (root / "done").touch()
    return root


def of_slices(case: Path, count: int) -> Path:
    """The case with its last slice repeated above, up to so many slices: a long scan of the same spine."""
    import pydicom

    root = case.with_name(f"{case.name}-tiled-{count}")
    if (root / "done").exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(case / "scans", root / "scans", copy_function=os.link)
    shutil.copytree(case / "masks", root / "masks")
    named = [
        (float(pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient[2]), path)
        for path in (root / "scans" / "case").iterdir()
    ]
    named.sort()
    (below, _), (top, last) = named[-2:]
    dataset = pydicom.dcmread(last)
    x, y, _ = dataset.ImagePositionPatient
    uid = str(dataset.SOPInstanceUID)[:50]
    for number in range(1, count - len(named) + 1):
        dataset.ImagePositionPatient = [x, y, round(top + number * (top - below), 4)]
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{uid}.{number}"
        dataset.InstanceNumber = len(named) + number
        dataset.save_as(root / "scans" / "case" / f"tile-{number:05d}.dcm")
    (root / "done").touch()
    return root


def batch_of(case: Path, count: int) -> Path:
    """The same case under several names, each a series of its own to leakseg."""
    root = case.with_name(f"{case.name}-batch-{count}")
    if not (root / "done").exists():
        import pydicom

        shutil.rmtree(root, ignore_errors=True)
        for number in range(count):
            shutil.copytree(case / "masks" / "case", root / "masks" / f"case-{number}")
            (root / "scans" / f"case-{number}").mkdir(parents=True)
            for path in (case / "scans" / "case").iterdir():
                dataset = pydicom.dcmread(path)
                for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
                    setattr(dataset, keyword, f"{str(dataset.get(keyword))[:58]}.{number}")
                uid = f"{str(dataset.SOPInstanceUID)[:58]}.{number}"
                dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
                dataset.save_as(root / "scans" / f"case-{number}" / path.name)
        (root / "done").touch()
    return root


# --- what a child process does; it prints its CPU seconds and peak memory


def _sitk(case: Path) -> Callable[[], Any]:
    import SimpleITK as sitk

    def run() -> None:
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(case / "scans" / "case")))
        sitk.GetArrayViewFromImage(reader.Execute()).shape  # noqa: B018 - the pixels are asked for, no more

    return run


def _leakseg(case: Path, write: str) -> Callable[[], Any]:
    from leakseg.case import CaseRequest, run_case
    from leakseg.config import load_config
    from leakseg.criteria import ReadingCriteria
    from leakseg.providers import plan_masks
    from leakseg.readers import take_inventory

    for name in ("analysis", "readers.dicom", "providers.precomputed"):
        __import__(f"leakseg.{name}")
    for name in ("ndimage", "spatial", "interpolate"):
        __import__(f"scipy.{name}")
    for name in ("cc3d", "edt", "pydicom", "nibabel", "isal.igzip"):
        __import__(name)
    if write == FULL:
        for name in ("highdicom.seg", "highdicom.sr", "jinja2", "PIL.Image", "skimage.measure"):
            __import__(name)
        _once_a_worker()
    from dataclasses import replace

    (entry,) = take_inventory([case / "scans"], ReadingCriteria()).cases()
    config = replace(load_config(None), write=tuple(write.split(",")))

    def run() -> None:
        with tempfile.TemporaryDirectory() as out:
            request = CaseRequest(
                entry.source, plan_masks((str(case / "masks" / "case"),), entry.source), config, Path(out), "", ""
            )
            ended = run_case(request)
            assert ended.status == "done", ended.reason

    return run


def _builtin(case: Path) -> Callable[[], Any]:
    """Built-in masks alone, of a scan that was read before."""
    from leakseg.criteria import ReadingCriteria
    from leakseg.providers.builtin import segment
    from leakseg.readers import read_volume, take_inventory

    (entry,) = take_inventory([case / "scans"], ReadingCriteria()).cases()
    volume = read_volume(entry.source, ReadingCriteria()).volume
    return lambda: segment(volume)


def _once_a_worker() -> None:
    """What a library reads, and what pages carry inside them, for the first case that a worker writes and no other."""
    from highdicom._standard_utils import get_module_attribute_map

    from leakseg.writers.html.library import plotly_js

    get_module_attribute_map()
    plotly_js()


def _user(case: Path) -> Callable[[], Any]:
    sys.path.insert(0, str(Path(__file__).parent))
    import user_script

    return lambda: user_script.leaks(str(case / "scans" / "case"), str(case / "masks" / "case" / "vertebrae.nii.gz"))


def _plain(_: Path) -> Callable[[], Any]:
    """Arithmetic that reads nothing and waits for nothing."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    values = np.random.default_rng(0).normal(size=(100, 256, 256)).astype(np.float32)

    def run() -> None:
        for _ in range(12):
            gaussian_filter(values, 1.0)

    return run


CHILDREN: dict[str, Callable[[Path], Callable[[], Any]]] = {
    "sitk": _sitk,
    "leakseg": lambda case: _leakseg(case, "json,csv"),
    "leakseg all outputs": lambda case: _leakseg(case, FULL),
    "built-in masks": _builtin,
    "user's script": _user,
    "plain": _plain,
}
TOOLS = ("sitk", "leakseg", "leakseg all outputs", "built-in masks", "user's script")


def child(name: str, case: Path) -> None:
    start = time.process_time()
    run = CHILDREN[name](case)
    started = time.process_time()
    run()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"start": started - start, "cpu": time.process_time() - started, "peak_mb": peak}))


def measured(name: str, case: Path, repeat: int) -> dict[str, float]:
    """The least CPU time of the repeats, each in a new process on one thread."""
    threads = {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
    found = []
    for _ in range(repeat):
        done = subprocess.run(
            [sys.executable, __file__, "--child", name, str(case)],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | threads,
        )
        found.append(json.loads(done.stdout.splitlines()[-1]))
    best = min(found, key=lambda one: one["cpu"])
    print(
        f"  {name:22s} {best['cpu']:8.2f} s CPU  {best['peak_mb']:7.0f} MB  (imports {best['start']:.2f} s)", flush=True
    )
    return best


def whole(command: list[str], repeat: int) -> dict[str, float]:
    """CPU and wall time of a whole process and its children."""
    found = []
    for _ in range(repeat):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found.append({"cpu": cpu, "wall": time.perf_counter() - start})
    return {key: min(one[key] for one in found) for key in ("cpu", "wall")}


def ran(case: Path, workers: int, repeat: int) -> dict[str, float]:
    """`leakseg run` from the command line."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            sys.executable,
            "-m",
            "leakseg",
            "run",
            str(case / "scans"),
            "--masks",
            str(case / "masks"),
            "-o",
            out,
            "--write",
            "json,csv",
            "--workers",
            str(workers),
            "--no-resume",
        ]
        return whole(command, repeat)


def ten_more(case: Path, workers: int) -> float:
    """Seconds by the clock for ten cases beyond the first of each worker."""
    first, all_of_them = (batch_of(case, count) for count in (workers, workers + 10))
    return ran(all_of_them, workers, 1)["wall"] - ran(first, workers, 1)["wall"]


def gain_of_two() -> float:
    """How many times as fast two processes of plain arithmetic are at once as one after the other."""
    command = [sys.executable, __file__, "--child", "plain", "."]
    start = time.perf_counter()
    for _ in range(2):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    between = time.perf_counter()
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    for process in both:
        process.wait()
    return (between - start) / (time.perf_counter() - between)


def main() -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    options = argparse.ArgumentParser()
    options.add_argument("--keep", type=Path)
    options.add_argument("--slices", type=int, default=400)
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--quick", action="store_true")
    options.add_argument("--readme", action="store_true")
    options.add_argument("--child", nargs=2)
    told = options.parse_args()
    if told.child:
        child(told.child[0], Path(told.child[1]))
        return
    with tempfile.TemporaryDirectory() as temporary:
        rows = compare(told.keep or Path(temporary), told)
    if told.readme:
        print("| figure | reach | measured |\n|---|---|---|")
        for figure, reach, value in rows:
            print(f"| {figure} | {reach} | {value} |")


def compare(folder: Path, told: argparse.Namespace) -> list[tuple[str, str, str]]:
    case, repeat = make_case(folder, told.slices), told.repeat
    slices = len(list((case / "scans" / "case").iterdir()))
    print(f"{slices} slices of 512 x 512, uncompressed, masks given")
    files = sorted(str(path) for path in (case / "scans" / "case").iterdir())
    cat_s = whole(["cat", *files], 5)["cpu"]
    print(f"  {'cat':22s} {cat_s:8.2f} s CPU", flush=True)
    figures = {name: measured(name, case, 1 if name == "user's script" else repeat) for name in TOOLS}
    ours, users, drawn = figures["leakseg"], figures["user's script"], figures["built-in masks"]
    allowed = slices * 512 * 512 * 2 / 1e6 * 2.5 + 300
    rows = [
        ("read, analyse, JSON and CSV, against `cat`", "15 x", f"{ours['cpu'] / cat_s:.0f} x"),
        ("the same against SimpleITK's reader alone", "1.5 x", f"{ours['cpu'] / figures['sitk']['cpu']:.1f} x"),
        (
            "the same against a user's script",
            "20 x faster",
            f"{users['cpu'] / ours['cpu']:.1f} x faster",
        ),
        ("all outputs, against `cat`", "100 x", f"{figures['leakseg all outputs']['cpu'] / cat_s:.0f} x"),
        (
            "built-in masks, against SimpleITK's reader alone",
            "20 x",
            f"{drawn['cpu'] / figures['sitk']['cpu']:.0f} x ({drawn['peak_mb'] * 1.048576:.0f} MB)",
        ),
        (
            "peak memory",
            f"{allowed:.0f} MB",
            f"{ours['peak_mb'] * 1.048576:.0f} MB (user's script {users['peak_mb']:.0f})",
        ),
    ]
    own = ran(case, 1, repeat)
    if shutil.which("dcm2niix"):
        with tempfile.TemporaryDirectory() as out:
            theirs = whole(["dcm2niix", "-z", "y", "-o", out, str(case / "scans" / "case")], repeat)
        # workers are no children that the system counts: the clock's time for both
        rows.append(
            ("against dcm2niix, whole processes (wall)", "faster", f"{own['wall'] / theirs['wall']:.1f} x its time")
        )
    help_s = whole([sys.executable, "-m", "leakseg", "--help"], 5)
    rows.append(("`--help`", "0.3 s", f"{help_s['cpu']:.2f} s CPU"))
    print_rows(rows)
    if told.quick:
        return rows
    for name in SYNTAXES:
        other = encoded(case, name)
        one, reader = measured("leakseg", other, repeat), measured("sitk", other, repeat)
        rows.append((f"{name}: against SimpleITK's reader alone", "1.5 x", f"{one['cpu'] / reader['cpu']:.1f} x"))
    few, many = make_case(folder, 100), of_slices(case, 4 * slices)
    small, large = measured("leakseg", few, repeat), measured("leakseg", many, repeat)
    slope = math.log(large["cpu"] / small["cpu"]) / math.log(4 * slices / len(list((few / "scans" / "case").iterdir())))
    rows.append(("growth with slices, 100 to 1600 (log-log slope)", "1.05", f"{slope:.2f}"))
    gained = [f"{ten_more(few, 1) / ten_more(few, 2):.2f} x" for _ in range(repeat)]
    bounds = [f"{gain_of_two():.2f} x" for _ in range(repeat)]
    rows.append(("two workers against one, ten cases beyond their start (wall)", "1.8 x", ", ".join(gained)))
    rows.append(("two processes of plain arithmetic against one", "", ", ".join(bounds)))
    print_rows(rows)
    return rows


def print_rows(rows: list[tuple[str, str, str]]) -> None:
    for figure, reach, value in rows:
        print(f"  {figure:55s} reach {reach:12s} measured {value}", flush=True)


if __name__ == "__main__":
    main()
