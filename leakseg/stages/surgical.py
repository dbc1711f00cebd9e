"""What the founding study did for leaks like these: its words and its citation, never advice.

Source: Pain Physician 2020;23:E377-E388, twelve patients with intraspinal cement after vertebroplasty, removed
through an endoscope.
"""

from __future__ import annotations

from typing import Literal

from leakseg.findings import Leak, LeakSubtype, LeakType, PatientPattern, SurgicalNote

CITATION = "Such leaks, as reported in Pain Physician 2020;23:E377-E388"
_A = "the transpedicular approach (A)"
_B = "the trench approach (B), with part of the medial pedicle and of the posterior wall taken away"
_CENTRAL = (LeakSubtype.CENTRAL, LeakSubtype.PARACENTRAL)


def surgical_note(leaks: tuple[Leak, ...], pattern: PatientPattern, profuse_volume_mm3: float) -> SurgicalNote | None:
    """The study's approach for these leaks, and the symptoms that it links with their places.

    Parameters
    ----------
    profuse_volume_mm3
        The criterion behind ``pattern.profuse``, named in the text: the study gives no volume, the figure is a
        convention.

    Returns
    -------
    SurgicalNote or None
        ``approach`` is None where leaks of both approaches are present: the basis then names each. None where
        the study has no such case: no leak in canal or foramen, or only epidural ones beside or behind the sac.
    """
    foraminal = any(leak.type is LeakType.FORAMINAL for leak in leaks)
    breach = any(leak.subtype is LeakSubtype.PEDICLE_BREACH for leak in leaks)
    central = any(leak.type is LeakType.EPIDURAL and leak.subtype in _CENTRAL for leak in leaks)
    if not (foraminal or breach or central):
        return None
    epidural = breach or central
    staged = epidural and (pattern.bilateral or pattern.profuse)
    sentences = []
    if foraminal:
        sentences.append(f"foraminal leaks were removed through {_A}; such patients had leg pain")
    if breach:
        sentences.append(f"leaks through the medial cortex of a pedicle were removed through {_A}")
    if central:
        sentences.append(f"central and paracentral epidural leaks were removed through {_B}")
    if epidural:
        sentences.append("epidural leaks went with weakness")
    if staged:
        why = "on both sides" if pattern.bilateral else f"profuse (here: more than {profuse_volume_mm3:g} mm³ in canal"
        why += "" if pattern.bilateral else " and foramina, a convention; the study names no volume)"
        sentences.append(f"surgery was staged where epidural leaks were {why}")
    approach: Literal["A", "B"] | None = None
    if foraminal or breach:
        approach = None if central else "A"
    elif central:
        approach = "B"
    return SurgicalNote(approach, staged, f"{CITATION}: {'; '.join(sentences)}. This is no advice.")
