"""A phantom's masks as one DICOM SEG (PS3.3 A.51, BINARY) on their own grid: the same bytes every time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from leakseg import terminology as terms
from leakseg.errors import OutputError
from leakseg.phantom.dicom_ct import uid_of
from leakseg.phantom.mask_faults import WrittenMasks
from leakseg.terminology import Code

_VERSION = "1"


def write_seg(masks: WrittenMasks, path: Path, scans: Sequence[Path], *, seed_text: str) -> None:
    """Write the masks; each level and the canal is a segment, frames that show nothing are left out.

    Parameters
    ----------
    scans
        The CT slices that the masks were drawn on.
    seed_text
        What the UIDs are made from.

    Raises
    ------
    OutputError
        Where the file cannot be written.
    """
    import pydicom
    from highdicom import PixelMeasuresSequence, PlaneOrientationSequence, PlanePositionSequence
    from highdicom.seg import Segmentation, SegmentationTypeValues
    from pydicom.uid import ExplicitVRLittleEndian

    grid, step = masks.grid, masks.grid.spacing_mm
    rows, columns = grid.affine[:3, 1] / step[1], grid.affine[:3, 2] / step[2]
    named: list[tuple[str, Code]] = [(f"{level} vertebra", terms.level_code(level)) for level in masks.levels()]
    shown = [masks.vertebrae == level.number for level in masks.levels()]
    if masks.canal.any():
        named.append(("spinal canal", terms.VERTEBRAL_CANAL))
        shown.append(masks.canal)
    seg = Segmentation(
        source_images=[pydicom.dcmread(scan, stop_before_pixels=True) for scan in scans],
        pixel_array=np.stack(shown, axis=-1).astype(np.uint8),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _description(number, label, code, uid_of("segment", seed_text, label))
            for number, (label, code) in enumerate(named, start=1)
        ],
        series_instance_uid=uid_of("masks series", seed_text),
        series_number=2,
        sop_instance_uid=uid_of("masks", seed_text),
        instance_number=1,
        manufacturer="leakseg",
        manufacturer_model_name="leakseg phantom",
        software_versions=_VERSION,
        device_serial_number=_VERSION,
        content_label="MASKS",
        content_creator_name="leakseg^",
        series_description="Phantom masks",
        content_date="20000101",
        content_time="120000",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        pixel_measures=PixelMeasuresSequence(
            pixel_spacing=(step[1], step[2]), slice_thickness=step[0], spacing_between_slices=step[0]
        ),
        plane_orientation=PlaneOrientationSequence("PATIENT", [*columns, *rows]),
        plane_positions=[
            PlanePositionSequence("PATIENT", [round(float(mm), 6) for mm in grid.to_patient([k, 0, 0])])
            for k in range(grid.shape[0])
        ],
    )
    _same_every_time(seg, uid_of("masks dimensions", seed_text))
    try:
        seg.save_as(path)
    except OSError as error:
        raise OutputError(f"The phantom's masks could not be written: {error.strerror}.") from error


def _description(number: int, label: str, code: Code, uid: str) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    def coded(what: Code) -> CodedConcept:
        return CodedConcept(value=what[1], scheme_designator=what[0], meaning=what[2])

    return SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=coded(terms.ANATOMICAL_STRUCTURE),
        segmented_property_type=coded(code),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            "leakseg phantom", codes.cid7162.MorphologicalOperations, _VERSION
        ),
        tracking_uid=uid,
        tracking_id=label,
    )


def _same_every_time(seg: Any, dimensions_uid: str) -> None:
    """Take out the moments and the random UID that highdicom puts in."""
    del seg.InstanceCreationDate, seg.InstanceCreationTime
    for item in seg.get("ContributingEquipmentSequence", ()):
        if "ContributionDateTime" in item:
            del item.ContributionDateTime
    seg.DimensionOrganizationSequence[0].DimensionOrganizationUID = dimensions_uid
    for item in seg.DimensionIndexSequence:
        item.DimensionOrganizationUID = dimensions_uid
