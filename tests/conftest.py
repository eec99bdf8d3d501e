"""For all tests: one thread for torch.

Tests run beside each other and beside browsers on few cores; on the tiny models threads only wait for one another.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
