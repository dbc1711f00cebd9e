"""From files to values: find the scans in folders, and read one scan as a volume in patient space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leakseg.criteria import ReadingCriteria
from leakseg.readers.inventory import IgnoredFile, Inventory, ReadScan, SeriesEntry, StudyEntry
from leakseg.volume import ScanSource

__all__ = ["IgnoredFile", "Inventory", "ReadScan", "SeriesEntry", "StudyEntry", "read_volume", "take_inventory"]


def take_inventory(scans: Sequence[Path], criteria: ReadingCriteria, *, all_series: bool = False) -> Inventory:
    """What lies under SCANS; headers only are read. See `leakseg.readers.take.take_inventory`."""
    from leakseg.readers.take import take_inventory as take

    return take(scans, criteria, all_series=all_series)


def read_volume(source: ScanSource, criteria: ReadingCriteria) -> ReadScan:
    """Read one scan: a volume in patient space, canonical ``SPL``, true Hounsfield units.

    Raises
    ------
    SeriesError, GeometryError
        With one sentence, where the files do not make such a volume.
    """
    if source.kind == "dicom":
        from leakseg.readers.dicom import read_dicom

        return read_dicom(source, criteria)
    from leakseg.readers.images import read_scan_image

    return read_scan_image(source, criteria)
