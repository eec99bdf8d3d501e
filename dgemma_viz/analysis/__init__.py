"""Numbers and tables from traces: pure functions, numpy only, no drawing and no torch."""
