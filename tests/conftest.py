"""For all tests: one thread for torch, no network, one Chromium and one Voila, other packages' versions at will.

Tests run beside each other and beside browsers on few cores; on the tiny models threads only wait for one another.
"""

import os
import signal
import sys

import pytest
from hypothesis import settings

from tests.browser import chromium, serve
from tests.versions import installed

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# A shell's job in the background ignores SIGINT, and so would every server that a test ends as Ctrl-C does.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Examples are not timed: on a busy machine any of them may be slow.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")

__all__ = ["chromium", "installed", "serve"]


@pytest.fixture(scope="module", autouse=True)
def nothing_compiled():
    """Forget what other modules compiled: torch gives up on a function at its ninth compilation, whoever asked for it.

    Which modules share a process hangs on who is free, so without this the order decides what fails.
    """
    if "torch._dynamo" in sys.modules:
        sys.modules["torch"].compiler.reset()
