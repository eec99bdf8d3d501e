"""What sweeps in other processes load: functions of a module, so that they can be pickled."""

import os
from pathlib import Path

import dgemma_viz as dv

FLAG = "DGEMMA_VIZ_TEST_DIE"
"""Names a file; a worker that finds it takes it away and dies on the spot."""


def load():
    """The bundled model."""
    return dv.load_tiny()


def load_or_die():
    """The bundled model, unless this is the worker that is to die."""
    flag = Path(os.environ[FLAG])
    try:
        flag.unlink()
    except FileNotFoundError:
        return load()
    os._exit(1)


def load_nonsense():
    """No model at all."""
    return "model"
