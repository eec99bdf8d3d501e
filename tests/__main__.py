"""Set up everything and run all checks: ``python3 tests [pytest arguments]``.

Needs Python >= 3.11 and nothing else: makes a virtual environment in ``.venv``, installs the package with what its
tests need, sees to a Chromium, then runs the linter, the type checker, the build of the guide and pytest (browser tests
included). With pytest arguments, only pytest runs, with them. Standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
BIN = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
TWO_AT_A_TIME = ["-n", "2", "--dist", "loadfile"]
"""How pytest runs all tests, which mostly wait for browsers and servers."""
sys.path[0] = str(ROOT)

from tests.chromium import VARIABLE, installed_chromium  # noqa: E402 - found only now


def main(arguments: list[str]) -> int:
    """Set up, check, test; the exit status is the first failure's."""
    os.chdir(ROOT)
    python = str(BIN / "python")
    if not (BIN / "python").exists() and not (BIN / "python.exe").exists():
        print("== making a virtual environment in .venv", flush=True)
        venv.create(ENVIRONMENT, with_pip=True)
    print("== installing dgemma_viz and what its tests need", flush=True)
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "-c", ".ci/constraints.txt", "-e", ".[test,lint]"], check=True
    )
    os.environ[VARIABLE] = find_chromium(python)
    install_mlx(python)
    install_nginx()
    checks = [
        [python, "-m", "ruff", "check", "."],
        [python, "-m", "ruff", "format", "--check", "."],
        [python, "-m", "mypy"],
        [python, "docs"],
        [python, "-m", "pytest", *(arguments or TWO_AT_A_TIME)],
    ]
    for check in checks if not arguments else checks[-1:]:
        print("==", " ".join(check[1:]), flush=True)
        if status := subprocess.run(check, check=False).returncode:
            return status
    return 0


def install_mlx(python: str) -> None:
    """Install MLX and mlx-vlm, where there are wheels; their tests are skipped elsewhere.

    15 MB. What mlx-vlm requires besides (speech, video, data sets, a server) is left out: generating text needs none.
    """
    print("== installing MLX", flush=True)
    install = [python, "-m", "pip", "install", "--quiet", "-c", ".ci/constraints.txt"]
    if not subprocess.run([*install, "--only-binary", ":all:", "mlx[cpu]>=0.32.4"], check=False).returncode:
        subprocess.run([*install, "--no-deps", "mlx-vlm"], check=False)


def install_nginx() -> None:
    """Install nginx for the test of its example configuration, where that is cheap; the test is skipped elsewhere."""
    if not shutil.which("nginx") and shutil.which("apt-get") and os.name == "posix" and os.geteuid() == 0:
        print("== installing nginx", flush=True)
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "nginx-light"]
        subprocess.run(install, check=False, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def find_chromium(python: str) -> str:
    """Path of a Chromium or Chrome: one that is there, or one installed now."""
    if path := installed_chromium():
        return path
    print("== installing Chromium", flush=True)
    if shutil.which("apt-get") and os.name == "posix" and os.geteuid() == 0:
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu-core"]
        subprocess.run(install, check=False)
        if path := installed_chromium():
            return path
    subprocess.run([python, "-m", "playwright", "install", "chromium"], check=False)
    script = "from playwright.sync_api import sync_playwright as p\nwith p() as q: print(q.chromium.executable_path)"
    path = subprocess.run([python, "-c", script], check=True, capture_output=True, text=True).stdout.strip()
    if Path(path).exists():
        return path
    sys.exit(
        "the browser tests need Chromium: install it (Debian: apt-get install chromium) or set DGEMMA_VIZ_CHROMIUM"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
