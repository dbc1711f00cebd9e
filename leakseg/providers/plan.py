"""Which files serve one case as masks: decided from file names and headers, no image is opened.

Masks given outright are used or refuse the case; only ``auto`` looks on when something does not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leakseg.errors import AnatomyError, ConfigError, InputError
from leakseg.findings import QualityNote
from leakseg.providers.beside import masks_beside
from leakseg.providers.folder import masks_of_file, masks_of_folder
from leakseg.providers.names import MASK_ENDINGS, PARTS, ROLES, VERTEBRAE
from leakseg.providers.schemes import Scheme, read_scheme
from leakseg.providers.values import MaskFile, MaskPlan
from leakseg.volume import ScanSource

_ONCE = (VERTEBRAE, PARTS, "canal", "cord", "bodies", "discs")
_WORDS = ("auto", "builtin", "totalsegmentator")
_UNUSED_SCHEME = QualityNote(
    "label_scheme_unused",
    "warning",
    "A label scheme was given, but no masks named by their role (vertebrae..., canal...) lie beside the scan: the "
    "built-in masks were used. Rename the masks, or give them by --masks.",
)
"""Who says what numbers mean has masks, and expects them to be used."""


def plan_masks(specs: Sequence[str], scan: ScanSource, label_scheme: str | None = None) -> MaskPlan:
    """Decide which files are this case's masks, from file names and headers alone.

    Parameters
    ----------
    specs
        The ``--masks`` options: ``auto`` (the default where there is none), ``builtin``,
        ``totalsegmentator``, or any number of files, folders and ``role=path``.

        ``auto`` looks in the scan's folder, in its ``masks/``, and, where the scan lies under a folder
        ``scans/`` (as ``leakseg phantom make`` writes), in the same place under ``masks/`` beside
        ``scans/``: first for a DICOM SEG of the same study that holds vertebrae (for DICOM scans also
        in the study's other series folders), then for role-named files; else it takes ``builtin``.
    scan
        The scan.
    label_scheme
        A scheme's name or a TOML file; None where names stand beside or in the masks.

    Raises
    ------
    InputError
        Where masks given outright are missing or unfit; the sentence says what was looked for.
    ConfigError
        Where the options themselves make no sense.
    """
    given = tuple(specs) or ("auto",)
    words = [spec for spec in given if spec in _WORDS]
    if words and len(given) > 1:
        raise ConfigError(f"--masks {words[0]} stands alone; leave out the other --masks options or name files only.")
    scheme = read_scheme(label_scheme) if label_scheme else None
    if given[0] == "totalsegmentator":
        return MaskPlan("totalsegmentator")
    if given[0] == "builtin":
        return MaskPlan("builtin")
    if given[0] == "auto":
        return _auto(scan, scheme)
    return _outright(given, scan, scheme)


def _auto(scan: ScanSource, scheme: Scheme | None) -> MaskPlan:
    found, notes = masks_beside(scan, scheme)
    if found:
        return MaskPlan("precomputed", found, _told_scheme(found), notes)
    return MaskPlan("builtin", notes=notes or ((_UNUSED_SCHEME,) if scheme else ()))


def _outright(specs: tuple[str, ...], scan: ScanSource, scheme: Scheme | None) -> MaskPlan:
    by_role: list[MaskFile] = []
    by_name: list[MaskFile] = []
    notes: list[QualityNote] = []
    for spec in specs:
        role, path = _split(spec)
        if not path.exists():
            raise InputError(
                f"The masks given{f' as {role}' if role else ''} do not exist: no such file or folder, "
                f"and none of the words {', '.join(_WORDS)}."
            )
        if role and path.is_dir():
            path = _role_file(path, role, scan)
        if role:
            by_role.extend(masks_of_file(path, scheme, role))
        elif path.is_dir():
            read, told = masks_of_folder(path, scan, scheme)
            by_name.extend(read)
            notes.extend(told)
        else:
            by_name.extend(masks_of_file(path, scheme, None))
    twice = next((mask.role for mask in by_name if _times(by_name, mask.role) > 1 and mask.role in _ONCE), None)
    if twice:
        raise AnatomyError(
            f"Several of the masks given go by the role {twice} (a file whose name gives no role counts as vertebrae); "
            "say which is which by ROLE=FILE."
        )
    named = {mask.role for mask in by_role}
    masks = (*by_role, *(mask for mask in by_name if mask.role not in named))
    if not any(mask.role not in ("canal", "cord", "bodies", "discs", "parts", "names") for mask in masks):
        raise AnatomyError(
            "The masks given hold no vertebrae; name a labelmap vertebrae..., single levels vertebrae_L1..., "
            "or say vertebrae=FILE."
        )
    return MaskPlan("precomputed", masks, _told_scheme(masks), tuple(notes))


def _times(masks: list[MaskFile], role: str) -> int:
    return sum(mask.role == role for mask in masks)


def _split(spec: str) -> tuple[str | None, Path]:
    role, sign, path = spec.partition("=")
    if not sign or Path(spec).exists():
        return None, Path(spec)
    known = {name.lower(): name for name in ROLES}
    if role.lower() not in known:
        raise ConfigError(
            f"'{role}' is no role of a mask; --masks ROLE=FILE takes vertebrae, canal, cord, bodies, discs, parts "
            "or a level such as L1."
        )
    return known[role.lower()], Path(path)


def _role_file(folder: Path, role: str, scan: ScanSource) -> Path:
    for stem in dict.fromkeys((scan.relative_path, scan.case_id)):
        for ending in MASK_ENDINGS:
            path = folder / f"{stem}{ending}"
            if stem not in ("", ".") and path.is_file():
                return path
    raise InputError(f"The folder given as {role} holds no file for this case; <case_id>.nii.gz is expected.")


def _told_scheme(masks: tuple[MaskFile, ...]) -> str | None:
    """What named the vertebrae, for the report."""
    for mask in masks:
        if mask.scheme is not None:
            return mask.scheme.name
    return "segment names" if any(mask.role == "seg" for mask in masks) else "file names"
