"""One DICOM instance as it comes from the network: its bytes, and the few values we go by."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

_KEYWORDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "Manufacturer")
_SEG = "1.2.840.10008.5.1.4.1.1.66.4"


@dataclass(frozen=True)
class Instance:
    """A DICOM file's bytes (PS3.10) as they came, and whose they are."""

    data: bytes
    sop_class_uid: str
    instance_uid: str
    study_uid: str
    manufacturer: str

    @property
    def is_our_seg(self) -> bool:
        """Whether it is a result of leakseg that an archive sends round."""
        return self.sop_class_uid == _SEG and self.manufacturer == "leakseg"


def read_instance(data: bytes) -> Instance:
    """The instance in a DICOM file's bytes; what it does not say is empty.

    The values are taken as bytes: nothing is converted, and so nothing is complained of.

    Raises
    ------
    Exception
        Whatever pydicom makes of bytes that are no DICOM file.
    """
    import pydicom

    dataset = pydicom.dcmread(BytesIO(data), stop_before_pixels=True, specific_tags=list(_KEYWORDS))
    values = []
    for keyword in _KEYWORDS:
        element = dataset.get_item(keyword)
        value = b"" if element is None else element.value or b""
        text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
        values.append(text.strip(" \0"))
    return Instance(data, *values)
