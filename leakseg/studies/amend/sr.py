"""``report.sr.dcm`` after a reader's corrections: the amended report, with the first SR as its predecessor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from leakseg.dicom_series import SOURCE_KEYWORDS, DicomSeries, Slice, quiet
from leakseg.findings import CaseReport
from leakseg.writers.dicom_sr import NAME, seg_in, sr_document


def rewrite_sr(first: Path, folder: Path, report: CaseReport) -> tuple[Path, ...]:
    """Write the SR anew, after the SEG in the same folder; nothing where there was none.

    The first SR tells all that the new one must say of patient, study and slices: no scan is needed.
    """
    import pydicom

    if not (first / NAME).is_file():
        return ()
    with quiet():
        old = pydicom.dcmread(first / NAME)
        path = folder / NAME
        sr_document(report, _series(old, report), seg_in(folder), old).save_as(path)
    return (path,)


def _series(document: Any, report: CaseReport) -> DicomSeries:
    """The series that an SR is about, as the SR tells of it; results bear the moment of the amendment."""
    from pydicom.dataset import Dataset

    assert report.amended is not None
    common = Dataset({element.tag: element for element in document if element.keyword in SOURCE_KEYWORDS})
    common.SeriesInstanceUID, common.Modality = report.series.series_instance_uid, report.series.modality
    if report.series.frame_of_reference_uid:
        common.FrameOfReferenceUID = report.series.frame_of_reference_uid
    slices = [
        Slice(one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID, np.zeros(3))
        for study in document.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        if series.SeriesInstanceUID == common.SeriesInstanceUID
        for one in series.ReferencedSOPSequence
    ]
    day, _, moment = report.amended.when.partition("T")
    return DicomSeries(common, tuple(slices), None, "", day.replace("-", ""), moment[:8].replace(":", ""))
