"""What the gallery says of each notebook: title, one sentence, what it needs; from its metadata or its first words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dgemma_viz.errors import SettingError

_COURSE = re.compile(r"\d\d_")


@dataclass(frozen=True)
class Dashboard:
    """One notebook that may be visited. Texts are NOT escaped.

    Attributes
    ----------
    name
        Of its file, without the suffix; also its address.
    path
        Its file.
    title, description, needs
        From the notebook's metadata. Without them: the name, the first sentence of its prose, nothing.
    """

    name: str
    path: Path
    title: str
    description: str
    needs: str

    @property
    def in_course(self) -> bool:
        """Whether it belongs to the course, whose notebooks are numbered."""
        return bool(_COURSE.match(self.name))


def read_dashboards(paths: Iterable[Path]) -> dict[str, Dashboard]:
    """Dashboards by name, in the order of their names.

    Raises
    ------
    SettingError
        A file is no notebook.
    """
    return {path.stem: _read(path) for path in sorted(paths)}


def _read(path: Path) -> Dashboard:
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        metadata, cells = notebook["metadata"], notebook["cells"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingError(f"{path} is not a notebook that can be read") from error
    return Dashboard(
        name=path.stem,
        path=path,
        title=str(metadata.get("title") or path.stem),
        description=str(metadata.get("description") or _first_sentence(cells)),
        needs=str(metadata.get("needs") or ""),
    )


def _first_sentence(cells: list[dict[str, Any]]) -> str:
    prose = next((cell["source"] for cell in cells if cell.get("cell_type") == "markdown"), "")
    text = prose if isinstance(prose, str) else "".join(prose)
    paragraphs = [part for part in text.split("\n\n") if part.strip() and not part.lstrip().startswith("#")]
    plain = re.sub(r"[*_`>]|\[([^\]]*)\]\([^)]*\)", r"\1", paragraphs[0] if paragraphs else "")
    return re.split(r"(?<=[.?!])\s", " ".join(plain.split()), maxsplit=1)[0]
