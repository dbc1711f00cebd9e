"""Pages for readers: ``report.html`` of a case and ``index.html`` of a run, from disk, offline, asking nobody."""

from leakseg.writers.html.batch_page import write as write_index
from leakseg.writers.html.case_page import write

__all__ = ["write", "write_index"]
