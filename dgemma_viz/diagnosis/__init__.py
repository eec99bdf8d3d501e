"""What went wrong in a run, where, by what evidence, and what to try: rules over a trace. No torch, no drawing."""
