"""One engine for rules over a trace: what a rule is, what it needs, and what it finds. No torch, no drawing."""
