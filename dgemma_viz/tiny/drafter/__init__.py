"""The bundled drafter: a causal model of one layer that guesses what the bundled model will write next.

It is to the bundled model what a small assistant model is to a large one in speculative decoding (arXiv 2211.17192):
an ordinary ``LlamaForCausalLM`` with the same tokenizer; ``load_tiny("drafter")`` loads it. ``python -m
dgemma_viz.tiny.train drafter`` made it.
"""
