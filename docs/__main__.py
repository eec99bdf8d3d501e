"""Build the guide, strictly: ``.venv/bin/python docs [folder]`` (``site`` by default; its first page is index.html).

A warning is an error: a link or an anchor that leads nowhere, a page that no list names, a docstring that does not
parse. So is a page that would fetch something from elsewhere.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
FETCHED = re.compile(r"""<(?:script|img|link|iframe|source)\b[^>]*?\b(?:src|href)=["'](?:https?:)?//[^>]*>""")
FETCHED_BY_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^)]*""")


def main(arguments: list[str]) -> int:
    """Build, then read what was built; the exit status."""
    from sphinx.cmd.build import build_main

    folder = Path(arguments[0] if arguments else ROOT / "site").resolve()
    with TemporaryDirectory() as doctrees:
        options = ["--quiet", "--fail-on-warning", "--fresh-env", "--jobs", "2"]
        if status := build_main([*options, "-c", str(ROOT / "docs"), "-d", doctrees, str(ROOT), str(folder)]):
            return status
    if fetched := list(fetched_from_elsewhere(folder)):
        print("pages must ask nothing from elsewhere:", *fetched, sep="\n", file=sys.stderr)
        return 1
    print(f"written: {folder / 'index.html'}")
    return 0


def fetched_from_elsewhere(folder: Path) -> list[str]:
    """Name each script, style, font or picture that a browser would load from another host."""
    return [
        f"{path.relative_to(folder)}: {match[0]}"
        for pattern, looked_for in (("*.html", FETCHED), ("*.css", FETCHED_BY_STYLE))
        for path in sorted(folder.rglob(pattern))
        for match in looked_for.finditer(path.read_text("utf-8"))
    ]


if __name__ == "__main__":
    # This folder has a conf.py and no code of the package.
    sys.path[0] = str(ROOT)
    sys.exit(main(sys.argv[1:]))
