"""Faults put into a running sampler on purpose, to show what they do and that they are found."""
