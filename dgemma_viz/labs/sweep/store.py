r"""The file of a sweep: every finished cell is there as soon as it is finished, so that nothing is lost with a process.

JSON lines. The first says what must be the same for cells to belong together: model, prompts, batch size, most new
tokens, versions. Each further line is one finished cell: its key, its setting and seed for readers, and its outcomes.
A failed cell is not written, so it is tried again. Text is written as ASCII with escapes, numbers that are not numbers
as null. A last line without its end was cut off by a crash and is dropped.

Settings and seeds may grow from call to call. A file with cells that the sweep does not have is refused: that is
another sweep.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.sweep.outcome import Outcome, Outcomes
from dgemma_viz.labs.sweep.plan import Cell

FORMAT = "dgemma_viz sweep 1"


class Store:
    """An open file of cells; a context manager.

    Attributes
    ----------
    finished
        Outcomes of the cells that the file held when it was opened, by key.
    """

    def __init__(self, path: Path, file: IO[bytes], finished: dict[str, Outcomes]) -> None:
        self.path = path
        self.finished = finished
        self._file = file

    @classmethod
    def open(cls, path: str | os.PathLike[str], identity: Mapping[str, Any], cells: Mapping[str, Cell]) -> Self:
        """Open for going on, or begin.

        Parameters
        ----------
        path
            Of the file; its folder must exist.
        identity
            JSON types; what must be the same.
        cells
            Those of the sweep, by key.

        Raises
        ------
        SettingError
            The file is that of another sweep, or not that of a sweep, or damaged, or cannot be written.
        """
        place = Path(path)
        head = _line({"format": FORMAT, **identity})
        try:
            held = place.read_bytes() if place.exists() else b""
            whole = held[: held.rfind(b"\n") + 1]
            finished = {}
            if whole:
                finished = _read(place, whole, identity, cells)
            elif not head.startswith(held):
                raise SettingError(f"'{place}' is not the file of a sweep: choose another path")
            file = place.open("r+b" if place.exists() else "x+b")
            file.truncate(len(whole))
            file.seek(len(whole))
            store = cls(place, file, finished)
            if not whole:
                store._write(head)
        except OSError as error:
            raise SettingError(f"'{place}' cannot be used for a sweep: {error}") from error
        return store

    def keep(self, cell: Cell, outcomes: Outcomes) -> None:
        """Append a finished cell, so that it is on the disk when this returns."""
        setting = {"sampler": cell.setting.sampler, "parameters": cell.setting.parameters, "seed": cell.seed}
        self._write(_line({"cell": cell.key, **setting, "outcomes": [outcome.to_json() for outcome in outcomes]}))

    def _write(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):  # a line that could not be written was told when it was
            self._file.close()


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, allow_nan=False).encode("ascii") + b"\n"


def _read(path: Path, whole: bytes, identity: Mapping[str, Any], cells: Mapping[str, Cell]) -> dict[str, Outcomes]:
    """Outcomes by key, of a file that ends with a whole line."""
    first, *rest = whole.split(b"\n")[:-1]
    _check_identity(path, first, identity)
    finished = {}
    for number, line in enumerate(rest, start=2):
        try:
            data = json.loads(line)
            key, outcomes = data["cell"], tuple(Outcome.from_json(one) for one in data["outcomes"])
            where = f"{data['sampler']} {data['parameters']} with seed {data['seed']}"
        except (ValueError, TypeError, KeyError) as error:
            raise SettingError(
                f"line {number} of '{path}' is damaged ({type(error).__name__}: {error}): take it out, and its cell "
                "runs again; or choose another path"
            ) from error
        if key not in cells:
            raise SettingError(
                f"'{path}' belongs to another sweep: it holds {where}, which is not in this grid and these seeds. "
                "Choose another path, or a grid that includes what is there"
            )
        if len(outcomes) != len(cells[key].prompts):
            raise SettingError(f"line {number} of '{path}' is damaged: it has {len(outcomes)} outcomes")
        finished[key] = outcomes
    return finished


def _check_identity(path: Path, line: bytes, identity: Mapping[str, Any]) -> None:
    try:
        held = json.loads(line)
    except ValueError:
        held = None
    if not isinstance(held, dict) or held.get("format") != FORMAT:
        raise SettingError(f"'{path}' is not the file of a sweep: choose another path")
    if differing := [_difference(name, held.get(name), now) for name, now in identity.items() if held.get(name) != now]:
        raise SettingError(f"'{path}' belongs to another sweep: {'; '.join(differing)}. Choose another path")


def _difference(name: str, then: Any, now: Any) -> str:
    words = name.replace("_", " ")
    if isinstance(then, dict) and isinstance(now, dict):
        names = [key for key in sorted({*then, *now}) if then.get(key) != now.get(key)]
        return ", ".join(f"{key} was {then.get(key)}, is {now.get(key)}" for key in names)
    if isinstance(then, list) and isinstance(now, list):
        return f"its {len(then)} {words} are not these {len(now)}"
    return f"its {words} was {then!r}, is {now!r}"
