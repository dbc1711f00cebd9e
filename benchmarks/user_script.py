"""What a researcher would write for lack of leakseg: the yardstick of `benchmarks/speed.py`.

    python benchmarks/user_script.py SCAN VERTEBRAE.nii.gz

SimpleITK reads, scikit-image thresholds, labels and measures, SciPy's distance transforms tell how far each piece
lies from bone and from cement inside bone; all on the whole volume, as tutorials do it.
"""

from __future__ import annotations

import json
import sys


def leaks(scan: str, vertebrae: str) -> list[dict[str, float]]:
    """Dense pieces outside the vertebrae, with volume, density, place and distances."""
    import numpy as np
    import SimpleITK as sitk
    from scipy import ndimage
    from skimage import filters, measure

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(scan))
    image = reader.Execute()
    hu = sitk.GetArrayFromImage(image)
    bone = (
        sitk.GetArrayFromImage(
            sitk.Resample(sitk.ReadImage(vertebrae), image, sitk.Transform(), sitk.sitkNearestNeighbor)
        )
        > 0
    )
    spacing = image.GetSpacing()[::-1]
    cement = hu > 1000
    inside = cement & bone
    to_bone = ndimage.distance_transform_edt(~bone, sampling=spacing)
    to_cement = ndimage.distance_transform_edt(~inside, sampling=spacing)
    labels = measure.label(filters.apply_hysteresis_threshold(np.where(bone, -1024, hu), 700, 1000))
    found = []
    for region in measure.regionprops(labels, intensity_image=hu):
        volume_mm3 = region.area * float(np.prod(spacing))
        own = labels[region.slice] == region.label
        if volume_mm3 < 10 or to_cement[region.slice][own].min() > 5:
            continue
        found.append(
            {
                "volume_mm3": volume_mm3,
                "mean_hu": float(region.intensity_mean),
                "to_bone_mm": float(to_bone[region.slice][own].mean()),
                "to_cement_mm": float(to_cement[region.slice][own].min()),
            }
        )
    return found


if __name__ == "__main__":
    print(json.dumps(leaks(sys.argv[1], sys.argv[2])))
