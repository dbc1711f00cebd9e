"""Is this series a CT volume? The same judgement when folders are listed and when the volume is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from leakseg.criteria import ReadingCriteria
from leakseg.errors import GeometryError, InputError, SeriesError
from leakseg.findings import QualityNote
from leakseg.geometry import MOST_VOXELS, too_large
from leakseg.readers.fitness import Flaw, flaw_of, is_reformat
from leakseg.readers.headers import SliceHeader
from leakseg.readers.stack import Stack, stack_of


@dataclass(frozen=True, eq=False)
class Judged:
    """The stack the slices make, or why they make none; both where it could be read but not analysed."""

    slices: tuple[SliceHeader, ...]
    stack: Stack | None
    refusal: InputError | None
    notes: tuple[QualityNote, ...]
    meant_as_scan: bool = True
    """False for what plainly is no volume: a localizer, a screen capture, a projection."""


def judge(slices: Sequence[SliceHeader], criteria: ReadingCriteria) -> Judged:
    """Judge one series by its headers.

    Images that plainly stand apart from the stack (a localizer, a screen capture) are left out with a
    note; any other flaw refuses the series, and so does what `stack_of` finds.
    """
    flaws: dict[Flaw, list[SliceHeader]] = {}
    fit: list[SliceHeader] = []
    by_image = {one.image: flaw_of(one.image) for one in slices}
    for one in slices:
        flaw = by_image[one.image]
        if flaw is None:
            fit.append(one)
        else:
            flaws.setdefault(flaw, []).append(one)
    first = next((flaw for flaw in flaws if not flaw.apart), next(iter(flaws), None))
    if first is not None and (not fit or not first.apart):
        fit_or_all = tuple(flaws[first])
        share = "" if len(fit_or_all) == len(slices) else f" ({len(fit_or_all)} of {len(slices)} images)"
        short = _few(len(slices), criteria) if first.apart is False and slices[0].image.modality == "CT" else []
        refused = SeriesError(_join([first.reason.rstrip(".") + share + ".", *short]))
        return Judged(tuple(slices), None, refused, (), meant_as_scan=not first.apart)
    notes = [_left_out(flaw, images) for flaw, images in flaws.items()]
    try:
        stack = stack_of(fit, criteria)
    except GeometryError as error:
        reason = _join([str(error), *_few(len(fit), criteria)])
        return Judged(tuple(fit), None, GeometryError(reason), tuple(notes))
    notes += [*stack.notes, *_kind_notes(fit)]
    short = (
        _too_large(stack)
        or _mixed(fit)
        or _cut_short(fit)
        or _few(len(stack.slices), criteria)
        or _short(stack, criteria)
    )
    refusal = (
        SeriesError(_join([*short, *(f"{note.message.split(';')[0].rstrip('.')}." for note in stack.notes)]))
        if short
        else None
    )
    return Judged(tuple(fit), stack, refusal, tuple(notes))


def _few(count: int, criteria: ReadingCriteria) -> list[str]:
    if count >= criteria.min_slices:
        return []
    return [f"Too few slices: {count} where at least {criteria.min_slices} are needed."]


def _mixed(slices: Sequence[SliceHeader]) -> list[str]:
    """Slices of several patients in one series; where every slice has an ID of its own, a de-identifier gave it."""
    identities = {one.image: one.image.identity for one in slices}.values()
    patients = {one.patient_id.strip() for one in identities if not one.removed} - {""}
    if not 1 < len(patients) < len(slices):
        return []
    sentence = (
        f"The slices name {len(patients)} different patients (PatientID) in one series: scans of several may be mixed, "
        "or the patient was renamed. Export the series again, each patient's by itself."
    )
    return [sentence]


def _cut_short(slices: Sequence[SliceHeader]) -> list[str]:
    """Files that end before their pixels do, where the header tells how many there must be."""
    cut = sum(one.pixel_offset is not None and one.file_size < one.pixel_offset + _pixel_bytes(one) for one in slices)
    if not cut:
        return []
    return [f"The pixel data of {cut} of {len(slices)} slices are cut short or absent. Export the series again."]


def _too_large(stack: Stack) -> list[str]:
    """A header may claim anything, and compressed pixels do not show before they are decoded."""
    image = stack.slices[0].image
    shape = (stack.count, image.rows, image.columns)
    return [too_large(shape)] if math.prod(shape) > MOST_VOXELS else []


def _pixel_bytes(one: SliceHeader) -> int:
    return one.frames * one.image.rows * one.image.columns * one.image.bits_allocated // 8


def _short(stack: Stack, criteria: ReadingCriteria) -> list[str]:
    if stack.coverage_mm >= criteria.min_coverage_mm:
        return []
    sentence = (
        f"Too little coverage: {stack.count} slices {stack.spacing_mm[0]:.2f} mm apart cover "
        f"{stack.coverage_mm:.1f} mm where at least {criteria.min_coverage_mm:g} mm are needed."
    )
    return [sentence]


def _left_out(flaw: Flaw, images: Sequence[SliceHeader]) -> QualityNote:
    count = f"{len(images)} image{'s' * (len(images) > 1)}"
    return QualityNote("images_left_out", "info", f"{count} of the series left out: {flaw.reason}")


def _kind_notes(slices: Sequence[SliceHeader]) -> list[QualityNote]:
    notes = []
    if any(is_reformat(one.image) for one in slices):
        notes.append(
            QualityNote(
                "reformat",
                "warning",
                "The series is a reformat (ImageType DERIVED, MPR), computed from another; densities are interpolated.",
            )
        )
    if any(one.image.lossy for one in slices):
        notes.append(
            QualityNote("lossy_compression", "warning", "The images were compressed with loss; densities are altered.")
        )
    if any(one.image.contrast for one in slices):
        notes.append(
            QualityNote(
                "contrast_agent",
                "info",
                "The header names a contrast agent: where it stands densely (vessels, ureters, the dural sac), it may "
                "look like cement.",
            )
        )
    if any(one.image.rescale_type == "HU_MOD" for one in slices):
        notes.append(
            QualityNote("hu_modified", "warning", "RescaleType is HU_MOD: the densities are modified Hounsfield units.")
        )
    if not all(one.image.transfer_syntax for one in slices):
        notes.append(
            QualityNote(
                "no_transfer_syntax",
                "warning",
                "Files without a DICOM meta header: read as uncompressed, the length of the pixel data agreeing.",
            )
        )
    return notes


def _join(sentences: Sequence[str]) -> str:
    return " ".join(sentences)
