"""Which Chromium the browser tests drive. Standard library only: the set-up needs it before anything is installed."""

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VARIABLE = "DGEMMA_VIZ_CHROMIUM"


def installed_chromium() -> str | None:
    """Path of the Chromium or Chrome that ``DGEMMA_VIZ_CHROMIUM`` names, else of one on the path, else None."""
    return os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, NAMES)), None)
