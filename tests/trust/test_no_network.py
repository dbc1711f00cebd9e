"""The main job, every output included, in a network namespace that holds no network."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[2] / "sample_dicom"


@pytest.mark.slow
@pytest.mark.skipif(not SAMPLE.is_dir(), reason="sample_dicom is not there")
def test_the_main_job_needs_no_network(tmp_path):
    apart = [shutil.which("unshare") or "unshare", "-n"]
    if shutil.which("unshare") is None or subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a namespace without a network cannot be had here (it takes root and unshare)")
    run = [
        "run",
        SAMPLE / "scans" / "three-leaks",
        "--masks",
        SAMPLE / "masks",
        "-o",
        tmp_path / "out",
        "--workers",
        "0",
    ]
    done = subprocess.run(
        [*apart, sys.executable, "-m", "leakseg", *run], capture_output=True, check=False, timeout=250
    )
    assert done.returncode == 0, done.stderr
    written = {path.name for path in (tmp_path / "out" / "three-leaks").iterdir()}
    assert {"report.json", "report.html", "leaks.seg.dcm", "report.sr.dcm", "leak-1.png", "leaks.nii.gz"} <= written
