"""Many cases: found, planned, run on any executor, kept in a ledger, told in tables."""
