"""One patient before surgery, after it and at follow-up: cement removed, canal regained, bone resected and healed."""

from leakseg.evaluate import document_text
from leakseg.studies.compare.study import Comparison, compare
from leakseg.studies.compare.tables import verdict
from leakseg.studies.compare.write import write_comparison

__all__ = ["Comparison", "compare", "document_text", "verdict", "write_comparison"]
