"""``leakseg amend``: a reader's corrections of a finished case, written again with who and when."""

from leakseg.studies.amend.edits import Edits, parse_edits, read_edits
from leakseg.studies.amend.rewrite import amend_case

__all__ = ["Edits", "amend_case", "parse_edits", "read_edits"]
