"""The surgical note repeats what the founding study reports, with its citation, and nothing where it has no case."""

from __future__ import annotations

import pytest

from leakseg.anatomy import VertebraLevel
from leakseg.criteria import LeakCriteria
from leakseg.findings import Leak, LeakSubtype, LeakType, Side
from leakseg.stages.pattern import patient_pattern
from leakseg.stages.surgical import surgical_note


def leak(kind: LeakType, subtype: LeakSubtype | None = None, side: Side = Side.LEFT, volume: float = 100.0) -> Leak:
    return Leak(
        1, kind, subtype, None, VertebraLevel.L1, "L1", None, side, volume, (0.0, 0.0, 0.0), 1, (1.0, 1.0, 1.0),
        1500.0, None, None, None, None, 0.9,
    )  # fmt: skip


FORAMINAL = leak(LeakType.FORAMINAL)
CENTRAL = leak(LeakType.EPIDURAL, LeakSubtype.CENTRAL, Side.MIDLINE)
PARACENTRAL = leak(LeakType.EPIDURAL, LeakSubtype.PARACENTRAL)
BREACH = leak(LeakType.EPIDURAL, LeakSubtype.PEDICLE_BREACH)
BESIDE = leak(LeakType.EPIDURAL)
VENOUS = leak(LeakType.VENOUS, LeakSubtype.SEGMENTAL)


def note_of(*leaks: Leak):
    criteria = LeakCriteria()
    return surgical_note(leaks, patient_pattern(leaks, criteria), criteria.profuse_volume_mm3)


@pytest.mark.parametrize(
    ("leaks", "approach"),
    [
        ((FORAMINAL,), "A"),
        ((BREACH,), "A"),
        ((FORAMINAL, BREACH), "A"),
        ((CENTRAL,), "B"),
        ((PARACENTRAL, VENOUS), "B"),
        ((FORAMINAL, CENTRAL), None),
    ],
)
def test_the_approach_is_the_studys(leaks, approach):
    note = note_of(*leaks)
    assert note is not None
    assert note.approach == approach
    assert "as reported in" in note.basis
    assert "Pain Physician 2020;23:E377-E388" in note.basis
    assert "no advice" in note.basis


@pytest.mark.parametrize("leaks", [(), (VENOUS,), (BESIDE,), (leak(LeakType.INTRADISCAL),)])
def test_where_the_study_has_no_such_case_there_is_no_note(leaks):
    assert note_of(*leaks) is None


def test_symptoms_are_linked_with_the_place():
    assert "leg pain" in note_of(FORAMINAL).basis
    assert "weakness" not in note_of(FORAMINAL).basis
    assert "weakness" in note_of(CENTRAL).basis


@pytest.mark.parametrize(
    ("leaks", "staged"),
    [
        ((CENTRAL,), False),
        ((PARACENTRAL, leak(LeakType.EPIDURAL, LeakSubtype.PARACENTRAL, Side.RIGHT)), True),
        ((leak(LeakType.EPIDURAL, LeakSubtype.CENTRAL, Side.BILATERAL),), True),
        ((leak(LeakType.EPIDURAL, LeakSubtype.CENTRAL, Side.MIDLINE, 1200.0),), True),
        ((FORAMINAL, leak(LeakType.FORAMINAL, side=Side.RIGHT)), False),
    ],
)
def test_bilateral_or_profuse_epidural_leaks_were_staged(leaks, staged):
    assert note_of(*leaks).staged is staged


def test_a_profuse_leak_names_its_criterion_as_a_convention():
    basis = note_of(leak(LeakType.EPIDURAL, LeakSubtype.CENTRAL, Side.MIDLINE, 1200.0)).basis
    assert "1000 mm³" in basis
    assert "convention" in basis
