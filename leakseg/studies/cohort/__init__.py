"""The tables of a paper: leaks found, joined with a clinical table, counted and tested."""

from leakseg.studies.cohort.study import CohortStudy, cohort, document_text, write_cohort

__all__ = ["CohortStudy", "cohort", "document_text", "write_cohort"]
