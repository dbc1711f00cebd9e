"""Stands in for TotalSegmentator 2, whose weights cannot be had here: its options, files, names and numbers.

Instead of a model it draws the truth that the test puts beside it, with the faults that the test asks for.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np

HERE = json.loads(Path(os.environ["STAND_IN"]).read_text(encoding="utf-8"))
TOTAL = {"sacrum": 25, "vertebrae_S1": 26, "spinal_cord": 79}
TOTAL |= {f"vertebrae_L{number}": 32 - number for number in range(1, 6)}
TOTAL |= {f"vertebrae_T{number}": 44 - number for number in range(1, 13)}
TOTAL |= {f"vertebrae_C{number}": 51 - number for number in range(1, 8)}
BODY = {"vertebrae_body": 1, "intervertebral_discs": 2}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-i", dest="input", type=Path, required=True)
    parser.add_argument("-o", dest="output", type=Path, required=True)
    parser.add_argument("-ml", "--ml", action="store_true")
    parser.add_argument("-f", "--fast", action="store_true")
    parser.add_argument("-ta", "--task", default="total", choices=["total", "vertebrae_body"])
    parser.add_argument("-rs", "--roi_subset", nargs="+")
    parser.add_argument("-d", "--device", default="gpu")
    parser.add_argument("--version", action="version", version=HERE.get("version", "2.4.0"))
    args = parser.parse_args()
    marks = Path(HERE["marks"])
    begun = time.monotonic_ns()
    with (marks / "calls").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps([args.task, args.fast, args.device, args.roi_subset]) + "\n")
    print("If you use this tool please cite: https://pubs.rsna.org/doi/10.1148/ryai.230024")
    fault = HERE.get("fault")
    if fault == "hang":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (marks / "pids").write_text(f"{os.getpid()} {child.pid}", encoding="utf-8")
        time.sleep(600)
    if fault == "licence" and args.task == "vertebrae_body":
        print("In contrast to the other tasks this task is not openly available.\nIt requires a license.")
        sys.exit(1)
    if fault == "crash":
        print(f"Traceback (most recent call last):\nRuntimeError: cannot read {args.input}")
        sys.exit(1)
    if fault == "killed":
        os.kill(os.getpid(), 9)
    if args.task != "total" and args.fast:
        raise ValueError("task vertebrae_body does not work with option --fast")
    if fault != "silent":
        draw(args)
    time.sleep(HERE.get("seconds", 0))
    (marks / f"spell-{begun}").write_text(f"{begun} {time.monotonic_ns()}", encoding="utf-8")


def draw(args):
    scan = nib.load(args.input)
    truth = nib.load(HERE["truth"])
    assert np.allclose(scan.affine, truth.affine), "the scan comes in another place than the truth"
    labels = np.asarray(truth.dataobj).astype(np.uint8)
    names = dict(TOTAL)
    if args.task == "total":
        assert args.ml
        assert args.roi_subset
        assert set(args.roi_subset) <= set(TOTAL)
        names = {name: number for name, number in TOTAL.items() if name in args.roi_subset}
        labels[~np.isin(labels, list(names.values()))] = 0
    else:
        names = BODY
        labels = np.isin(labels, range(25, 51)).astype(np.uint8)
    image = nib.Nifti1Image(labels, scan.affine, scan.header)
    image.set_data_dtype(np.uint8)
    rows = "".join(
        f'<Label Key="{key}" Red="1" Green="0" Blue="0" Alpha="1"><![CDATA[{name}]]></Label>\n'
        for name, key in names.items()
    )
    table = f'<CaretExtension><VolumeInformation Index="0"><LabelTable>{rows}</LabelTable></VolumeInformation>'
    image.header.extensions.append(nib.nifti1.Nifti1Extension(0, f"{table}</CaretExtension>".encode()))
    args.output.parent.mkdir(exist_ok=True, parents=True)
    nib.save(image, args.output)


main()
