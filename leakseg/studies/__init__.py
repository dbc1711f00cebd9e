"""Studies over finished cases: corrected by a reader, compared over time, told as the tables of a paper."""
