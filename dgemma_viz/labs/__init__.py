"""Experiments that run a model. Importing this package imports neither torch nor transformers; running does."""
