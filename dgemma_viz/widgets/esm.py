"""Join the widget's JavaScript modules into the one ES module that anywidget takes; no build step, no bundler.

Each file in ``static/`` is a plain ES module with one responsibility. Joining them means: put imported files first,
drop ``import ... from "./x.js"`` lines and the ``export`` before declarations. Names are unique over the files.
"""

from __future__ import annotations

import re
from pathlib import Path

STATIC = Path(__file__).parent / "static"

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(?P<file>[\w]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=const|let|function|async|class)", re.MULTILINE)


def joined_module(entry: str, *folders: Path) -> str:
    """Source of ``static/<entry>`` with the modules it imports, each once; keeps the entry's default export.

    A file is looked for in ``folders`` first, in their order.
    """
    sources: dict[str, str] = {}

    def add(name: str) -> None:
        if name in sources:
            return
        path = next((folder / name for folder in folders if (folder / name).exists()), STATIC / name)
        text = path.read_text(encoding="utf-8")
        sources[name] = ""  # claims the name; the order is set when the text is put in, after its imports
        for found in _IMPORT.finditer(text):
            add(found["file"])
        del sources[name]
        sources[name] = _EXPORT.sub("", _IMPORT.sub("", text))

    add(entry)
    return "\n".join(sources.values())


def style_sheet(name: str) -> str:
    """Source of ``static/<name>``."""
    return (STATIC / name).read_text(encoding="utf-8")
