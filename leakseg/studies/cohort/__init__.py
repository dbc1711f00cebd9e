"""The tables of a paper: leaks found, joined with a clinical table, counted and tested."""

from leakseg.evaluate import document_text
from leakseg.studies.cohort.study import NO_RESULTS, CohortStudy, cohort, write_cohort

__all__ = ["NO_RESULTS", "CohortStudy", "cohort", "document_text", "write_cohort"]
