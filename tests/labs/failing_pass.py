"""A decoder that fails in the middle of a run."""

import itertools
from contextlib import contextmanager


@contextmanager
def failing_in_pass(model, number):
    """The decoder fails with a ValueError in one of its passes, counted from 0."""
    passes = itertools.count()

    def fail(_module, _arguments):
        if next(passes) == number:
            raise ValueError("no memory left, say")

    hook = model.model.decoder.register_forward_pre_hook(fail)
    try:
        yield
    finally:
        hook.remove()
