"""``report.sr.dcm``: the report as a DICOM SR, TID 1500 Measurement Report (PS3.16), for PACS and registries.

Each leak is a measurement group: TID 1411 with its segment where a SEG was written, TID 1501 else. The
groups bear a point in space besides, and the root the disclaimer, notes and provenance as text; the
templates are extensible.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from leakseg import terminology as terms
from leakseg.dicom_series import DicomSeries, quiet
from leakseg.findings import CaseReport, CaseResult, Leak, LevelReport, Side
from leakseg.terminology import Code
from leakseg.wording import amendments, leak_phrase, measures, verdict

NAME = "report.sr.dcm"
SEG_NAME = "leaks.seg.dcm"
"""The SEG whose segments are referred to, where it stands in the same folder."""
_SERIES_NUMBER = 9802
_SOP_CLASS, _SOP_INSTANCE = 0x00081150, 0x00081155
"""Referenced SOP Class UID and Referenced SOP Instance UID."""
_MM3, _MM, _PERCENT = ("UCUM", "mm3", "cubic millimeter"), ("UCUM", "mm", "mm"), ("UCUM", "%", "Percent")
_HU = ("UCUM", "[hnsf'U]", "Hounsfield unit")
_VOLUME: Code = ("SCT", "118565006", "Volume")
_ENCROACHMENT = terms.private("ENCROACHMENT", "Share of the spinal canal's area taken by cement")
_DIAMETER = terms.private("MAX-SAG-DIAM", "Maximum sagittal diameter in the spinal canal")
_FORAMEN = terms.private("FORAMEN-SHARE", "Share of the foramen's volume taken by cement")
_DISTANCE = terms.private("CANAL-DISTANCE", "Shortest distance to the spinal canal")
_DENSITY = terms.private("MEAN-DENSITY", "Mean density")
_CONFIDENCE = terms.private("CONFIDENCE", "Confidence in the type of the leak")
_FILL = terms.private("FILL-FRACTION", "Share of the vertebral body filled with cement")
_INSIDE = terms.private("VOLUME-INSIDE", "Volume of bone cement inside bone")
_LEAKED = terms.private("VOLUME-LEAKED", "Volume of bone cement outside bone")
_TYPE = terms.private("LEAK-TYPE", "Place of the bone cement leak")
_SUBTYPE = terms.private("LEAK-SUBTYPE", "Finer place of the bone cement leak")
_ROUTE = terms.private("LEAK-ROUTE", "Way of the bone cement out of the bone")
_LEAK_FOUND = terms.private("LEAK-FOUND", "Bone cement leak")
_REVIEW = terms.private("NEEDS-REVIEW", "Needs review by a reader")
_DISCLAIMER = terms.private("DISCLAIMER", "Disclaimer")
_NOTE = terms.private("QUALITY-NOTE", "Quality note")
_MADE_BY = terms.private("MADE-BY", "What made this report")
_AMENDED = terms.private("AMENDED", "Corrected by a reader")
_VERDICT = terms.private("VERDICT", "Summary")


def write(result: CaseResult, series: DicomSeries | None, folder: Path) -> tuple[Path, ...]:
    """Write the SR; nothing where the scan is no DICOM series that can be referred to.

    The same scan and the same findings give the same bytes and UIDs.
    """
    if series is None:
        return ()
    with quiet():
        document = sr_document(result.report, series, seg_in(folder))
        path = folder / NAME
        document.save_as(path)
    return (path,)


def seg_in(folder: Path) -> Any | None:
    """Header of the SEG in the same folder; None where there is none."""
    import pydicom

    path = folder / SEG_NAME
    tags = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SegmentSequence"]
    return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags) if path.is_file() else None


def sr_document(report: CaseReport, series: DicomSeries, seg: Any | None, first: Any | None = None) -> Any:
    """The SR of a report on a series, with the SEG that it refers to, and the SR that it comes in place of."""
    from highdicom.coding_schemes import CodingSchemeIdentificationItem
    from highdicom.sr import Comprehensive3DSR, ObservationContext, ObserverContext
    from highdicom.sr import DeviceObserverIdentifyingAttributes as Device
    from highdicom.sr import MeasurementReport as Report
    from pydicom.sr.codedict import codes
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    same = replace(report, case_id="", provenance=replace(report.provenance, input_digest=""))
    told = json.dumps(asdict(same), default=lambda number: number.item())  # a plugin's numpy numbers are numbers
    identity = [str(series.common.SeriesInstanceUID), "SR", told, series.date, series.time]
    identity.append("" if seg is None else str(seg.SOPInstanceUID))
    made_by = report.provenance
    device = Device(
        uid=generate_uid(entropy_srcs=["leakseg", made_by.leakseg]),
        name="leakseg",
        manufacturer_name="leakseg",
        model_name="leakseg",
        serial_number=made_by.leakseg,
    )
    content = Report(
        observation_context=ObservationContext(_reader(report), ObserverContext(codes.DCM.Device, device)),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=list(_groups(report, series, seg, identity)),
        title=codes.DCM.ImagingMeasurementReport,
    )
    content[0].ContentSequence.extend(_texts(report))
    document = Comprehensive3DSR(
        evidence=[*series.headers([0]), *([] if seg is None else [seg])],
        content=content,
        series_instance_uid=generate_uid(entropy_srcs=[*identity, "series"]),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=generate_uid(entropy_srcs=[*identity, "instance"]),
        instance_number=1,
        manufacturer="leakseg",
        manufacturer_model_name="leakseg",
        software_versions=made_by.leakseg,
        series_description="leakseg: bone cement report",
        is_complete=True,
        content_date=series.date,
        content_time=series.time,
        previous_versions=None if first is None else [first],
        coding_schemes=[CodingSchemeIdentificationItem(terms.PRIVATE_SCHEME, name="leakseg's own codes")],
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    _refer_to_all(document, series)
    del document.InstanceCreationDate, document.InstanceCreationTime
    for item in document.get("ContributingEquipmentSequence", ()):
        if "ContributionDateTime" in item:
            del item.ContributionDateTime
    return document


def _refer_to_all(document: Any, series: DicomSeries) -> None:
    """Name every instance of the series as evidence, after its first: highdicom takes a header of each to do that."""
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    (own,) = (
        item
        for study in document.CurrentRequestedProcedureEvidenceSequence
        for item in study.ReferencedSeriesSequence
        if item.SeriesInstanceUID == series.common.SeriesInstanceUID
    )
    (first,) = own.ReferencedSOPSequence
    kinds, told = {}, {str(first.ReferencedSOPInstanceUID)}
    for one in series.slices:
        if one.sop_instance_uid not in told:
            told.add(one.sop_instance_uid)
            if one.sop_class_uid not in kinds:
                kinds[one.sop_class_uid] = DataElement(_SOP_CLASS, "UI", one.sop_class_uid)
            kind, uid = kinds[one.sop_class_uid], DataElement(_SOP_INSTANCE, "UI", one.sop_instance_uid)
            own.ReferencedSOPSequence.append(Dataset({kind.tag: kind, uid.tag: uid}))


def _reader(report: CaseReport) -> Any | None:
    """The person who corrected the report last."""
    if report.amended is None:
        return None
    from highdicom.sr import ObserverContext
    from highdicom.sr import PersonObserverIdentifyingAttributes as Person
    from pydicom.sr.codedict import codes

    return ObserverContext(codes.DCM.Person, Person(name=f"{report.amended.who}^"))


def _groups(report: CaseReport, series: DicomSeries, seg: Any | None, identity: list[str]) -> Iterator[Any]:
    yield _whole_case(report, identity)
    for level in report.levels:
        if level.treated:
            yield _treated(report, level, identity)
    for leak in report.leaks:
        yield _leak(report, leak, series, seg, identity)


def _whole_case(report: CaseReport, identity: list[str]) -> Any:
    cement = report.cement
    numbers = [(_VOLUME, cement.total_volume_mm3, _MM3)]
    numbers += [(_INSIDE, cement.inside_volume_mm3, _MM3), (_LEAKED, cement.leaked_volume_mm3, _MM3)]
    found = cement.total_volume_mm3 > 0
    answers = [
        (terms.BONE_CEMENT, terms.PRESENT if found else terms.ABSENT),
        (_LEAK_FOUND, terms.PRESENT if report.leaks else terms.ABSENT),
        (_REVIEW, terms.YES if report.needs_review else terms.NO),
    ]
    return _group(report, "case", terms.BONE_CEMENT, numbers, answers, identity)


def _treated(report: CaseReport, level: LevelReport, identity: list[str]) -> Any:
    numbers = [(_VOLUME, level.cement_volume_mm3, _MM3)]
    numbers += _known([(_FILL, level.fill_fraction), (_ENCROACHMENT, level.canal_encroachment_fraction)])
    site = (terms.level_code(level.level), None)
    return _group(report, f"treated {level.level}", terms.CEMENT_IN_BONE, numbers, [], identity, site)


def _leak(report: CaseReport, leak: Leak, series: DicomSeries, seg: Any | None, identity: list[str]) -> Any:
    numbers = [(_VOLUME, leak.volume_mm3, _MM3), (_DENSITY, leak.mean_hu, _HU)]
    numbers += _known(
        [
            (_ENCROACHMENT, leak.canal_encroachment_fraction),
            (_FORAMEN, leak.foraminal_occupation_fraction),
            (_CONFIDENCE, leak.confidence),
        ]
    )
    lengths = [(_DIAMETER, leak.max_sagittal_diameter_mm), (_DISTANCE, leak.distance_to_canal_mm)]
    numbers += [(name, value, _MM) for name, value in lengths if value is not None]
    answers = [(_TYPE, terms.LEAK_TYPE_CODES[leak.type])]
    answers += [(_SUBTYPE, terms.LEAK_SUBTYPE_CODES[leak.subtype])] if leak.subtype else []
    answers += [(_ROUTE, terms.LEAK_ROUTE_CODES[leak.route])] if leak.route else []
    kind = terms.LEAK_TYPE_CODES[leak.type]
    site = (terms.level_code(leak.level), leak.side)
    group = _group(report, f"leak {leak.id}", kind, numbers, answers, identity, site, seg, series)
    group[0].ContentSequence.extend(_place_in_words_and_space(leak, series))
    return group


def _known(fractions: list[tuple[Code, float | None]]) -> list[tuple[Code, float, Code]]:
    return [(name, 100 * value, _PERCENT) for name, value in fractions if value is not None]


def _group(
    report: CaseReport,
    name: str,
    kind: Code,
    numbers: list[tuple[Code, float, Code]],
    answers: list[tuple[Code, Code]],
    identity: list[str],
    site: tuple[Code, Side | None] | None = None,
    seg: Any | None = None,
    series: DicomSeries | None = None,
) -> Any:
    from highdicom import sr
    from pydicom.uid import generate_uid

    segment = _segment(seg, name)
    uid = segment.TrackingUID if segment is not None else generate_uid(entropy_srcs=[*identity, name])
    common: dict[str, Any] = {
        "tracking_identifier": sr.TrackingIdentifier(uid=uid, identifier=name),
        "finding_type": _coded(kind),
        "algorithm_id": sr.AlgorithmIdentification(
            name="leakseg",
            version=report.provenance.leakseg,
            parameters=[f"classifier {report.provenance.classifier}", f"criteria {report.provenance.criteria_digest}"],
        ),
        "finding_sites": None if site is None else [_site(*site)],
        "measurements": [
            sr.Measurement(name=_coded(what), value=round(float(value), 4), unit=_coded(unit))
            for what, value, unit in numbers
        ],
        "qualitative_evaluations": [
            sr.QualitativeEvaluation(name=_coded(what), value=_coded(answer)) for what, answer in answers
        ],
    }
    if segment is None or seg is None or series is None:
        return sr.MeasurementsAndQualitativeEvaluations(**common)
    reference = sr.ReferencedSegment(
        sop_class_uid=seg.SOPClassUID,
        sop_instance_uid=seg.SOPInstanceUID,
        segment_number=int(segment.SegmentNumber),
        source_series=sr.SourceSeriesForSegmentation(series.common.SeriesInstanceUID),
    )
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=reference, **common)


def _segment(seg: Any | None, name: str) -> Any | None:
    segments = () if seg is None else seg.SegmentSequence
    return next((segment for segment in segments if segment.TrackingID == name), None)


def _place_in_words_and_space(leak: Leak, series: DicomSeries) -> Iterator[Any]:
    import numpy as np
    from highdicom.sr import GraphicTypeValues3D, RelationshipTypeValues, Scoord3DContentItem
    from pydicom.sr.codedict import codes

    told = "; ".join(f"{name}: {value}" for name, value in measures(leak))
    yield _text(("DCM", "121106", "Comment"), f"{leak_phrase(leak)}. {told}")
    frame = series.common.get("FrameOfReferenceUID")
    if frame:
        yield Scoord3DContentItem(
            name=codes.DCM.CenterOfMass,
            graphic_type=GraphicTypeValues3D.POINT,
            graphic_data=np.array([leak.centroid_mm]),
            frame_of_reference_uid=frame,
            relationship_type=RelationshipTypeValues.CONTAINS,
        )


def _texts(report: CaseReport) -> Iterator[Any]:
    made_by = report.provenance
    yield _text(_VERDICT, verdict(report))
    yield _text(_DISCLAIMER, report.disclaimer)
    for told in amendments(report):
        yield _text(_AMENDED, told)
    for note in report.quality:
        yield _text(_NOTE, f"{note.severity}: {note.message}")
    yield _text(
        _MADE_BY,
        f"leakseg {made_by.leakseg}, classifier {made_by.classifier}, criteria {made_by.criteria_digest}, "
        f"vertebrae from {report.masks.provider} {report.masks.version}".strip(),
    )


def _text(name: Code, value: str) -> Any:
    from highdicom.sr import RelationshipTypeValues, TextContentItem

    return TextContentItem(name=_coded(name), value=value, relationship_type=RelationshipTypeValues.CONTAINS)


def _site(level: Code, side: Side | None) -> Any:
    from highdicom.sr import FindingSite

    return FindingSite(_coded(level), laterality=None if side is None else _coded(terms.SIDE_CODES[side]))


def _coded(code: Code) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(value=code[1], scheme_designator=code[0], meaning=code[2])
