"""Phantom patients before surgery, after it and at follow-up: known removal, known resection, known healing."""

from leakseg.phantom.surgery.folders import write_patient
from leakseg.phantom.surgery.patient import Operated, make_patients

__all__ = ["Operated", "make_patients", "write_patient"]
