"""Pages for readers: ``report.html`` of a case and ``index.html`` of a run, from disk, offline, asking nobody."""

from leakseg.writers.html.batch_page import write as write_index
from leakseg.writers.html.case_page import NAME, Parts, write, write_page
from leakseg.writers.html.stored import renamed_scene, stored_parts

__all__ = ["NAME", "Parts", "renamed_scene", "stored_parts", "write", "write_index", "write_page"]
