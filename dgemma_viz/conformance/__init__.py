"""Whether a trace's own numbers obey the reference sampler's rules, whatever runtime it came from. No torch."""
