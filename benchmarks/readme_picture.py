"""The README's picture: axial slices through each leak that `leakseg run sample_dicom -o results` found.

python benchmarks/readme_picture.py
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import SimpleITK as sitk

ROOT = Path(__file__).parents[1]
CASE = "three-leaks"
WINDOW_LEVEL_HU, WINDOW_WIDTH_HU = 500, 2500
COLOURS = {
    "epidural": "#e6322b",
    "foraminal": "#f58a07",
    "venous": "#35a7ff",
    "intradiscal": "#b45cff",
    "paravertebral": "#2fc35b",
    "undetermined": "#ffd500",
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "results"
        scan = ROOT / "sample_dicom" / "scans" / CASE
        subprocess.run([sys.executable, "-m", "leakseg", "run", str(scan), "-o", str(out)], check=True)
        report = json.loads((out / CASE / "report.json").read_text(encoding="utf-8"))
        leaks = sitk.ReadImage(str(out / CASE / "leaks.nii.gz"))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(scan)))
    ct = sitk.DICOMOrient(reader.Execute(), "LPS")
    draw(ct, sitk.Resample(leaks, ct, sitk.Transform(), sitk.sitkNearestNeighbor), report["leaks"])


def draw(ct: sitk.Image, leaks: sitk.Image, found: list[dict]) -> None:
    hounsfield, ids = (sitk.GetArrayViewFromImage(image) for image in (ct, leaks))
    _, height, width = hounsfield.shape
    across, down, _ = ct.GetSpacing()
    figure, axes = plt.subplots(1, len(found), figsize=(3.6 * len(found), 4.1), facecolor="black")
    for axis, leak in zip(axes, found, strict=True):
        here = ids == leak["id"]
        k = int(np.argmax(here.sum(axis=(1, 2))))
        colour = COLOURS[leak["type"]]
        axis.imshow(
            hounsfield[k],
            cmap="gray",
            vmin=WINDOW_LEVEL_HU - WINDOW_WIDTH_HU / 2,
            vmax=WINDOW_LEVEL_HU + WINDOW_WIDTH_HU / 2,
            aspect=down / across,
            interpolation="bicubic",
        )
        axis.contour(here[k], levels=[0.5], colors=[colour], linewidths=1.8)
        # DICOM's x grows to the patient's left, which so lies on the picture's right, as on a reading station.
        for text, x, y in (("R", 0.04, 0.5), ("L", 0.96, 0.5), ("A", 0.5, 0.96), ("P", 0.5, 0.04)):
            axis.text(x, y, text, transform=axis.transAxes, color="white", ha="center", va="center", fontsize=11)
        subtype = f" ({leak['subtype'].replace('_', ' ')})" if leak["subtype"] else ""
        axis.set_title(f"{leak['level']}: {leak['type']}{subtype}", color=colour, fontsize=13)
        axis.text(
            0.5,
            -0.04,
            f"{leak['side']}, {leak['volume_mm3']:.0f} mm³, confidence {leak['confidence']:.2f}",
            transform=axis.transAxes,
            color="white",
            ha="center",
            va="top",
            fontsize=11,
        )
        axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
        axis.set_axis_off()
    figure.subplots_adjust(wspace=0.04)
    target = Path(__file__).with_suffix(".png")
    figure.savefig(target, dpi=90, bbox_inches="tight", pad_inches=0.1)
    sys.stdout.write(f"{target.name}: {target.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
