"""Join plain JavaScript modules into the one ES module that a host loads; no build step, no bundler.

Each file in ``static/`` is an ES module with one responsibility. Joining them means: put imported files first, drop
``import ... from "./x.js"`` lines and the ``export`` before declarations. Names are unique over the files.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(?P<file>[\w]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=const|let|function|async|class)", re.MULTILINE)


@cache
def joined_module(entry: str, *folders: Path) -> str:
    """Source of ``<entry>`` with the modules it imports, each once; keeps the entry's default export.

    A file is looked for in ``folders`` first, in their order, then in :data:`STATIC`.
    """
    sources: dict[str, str] = {}

    def add(name: str) -> None:
        if name in sources:
            return
        text = _read(name, folders)
        sources[name] = ""  # claims the name; the order is set when the text is put in, after its imports
        for found in _IMPORT.finditer(text):
            add(found["file"])
        del sources[name]
        sources[name] = _EXPORT.sub("", _IMPORT.sub("", text))

    add(entry)
    return "\n".join(sources.values())


@cache
def style_sheets(*names: str, folder: Path = STATIC) -> str:
    """Sources of style sheets of a folder, one after the other."""
    return "\n".join(_read(name, (folder,)) for name in names)


VIEWER_STYLES = (
    "token_canvas.css",
    "token_text.css",
    "answer.css",
    "search.css",
    "findings_list.css",
    "inside_panel.css",
    "explorer.css",
    "words.css",
    "comparison.css",
    "viewer.css",
    "canvas_choice.css",
    "figure.css",
)
"""Style sheets that the viewer needs, in every host."""


def _read(name: str, folders: tuple[Path, ...]) -> str:
    path = next((folder / name for folder in folders if (folder / name).exists()), STATIC / name)
    return path.read_text(encoding="utf-8")
