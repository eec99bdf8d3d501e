"""Where the notebooks are: inside an installed package, or beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path

import dgemma_viz
from dgemma_viz.errors import SettingError
from dgemma_viz.write_whole import write_whole


def notebooks_folder() -> Path:
    """Folder that holds the published notebooks.

    Raises
    ------
    SettingError
        Neither place has any; the installation is incomplete.
    """
    package = Path(dgemma_viz.__file__).parent
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if any(folder.glob("*.ipynb")):
            return folder
    raise SettingError("this installation of dgemma_viz has no notebooks; reinstall it with pip")


def find_notebook(name: str | None = None) -> Path:
    """Path of a notebook: a file of the user's own, or a published one by the start of its name; the first if None."""
    if name and Path(name).is_file():
        return Path(name).resolve()
    published = sorted(notebooks_folder().glob("*.ipynb"))
    for path in published:
        if name is None or path.stem.startswith(name.removesuffix(".ipynb")):
            return path
    raise SettingError(f"there is no notebook '{name}'; published are {[path.stem for path in published]}")


def copy_notebooks(folder: Path) -> list[Path]:
    """Copy the published notebooks into a folder, to be opened and changed there; returns the copies.

    Raises
    ------
    SettingError
        The folder cannot be made, or a file of it is in the way and differs: then nothing is copied.
    """
    published = sorted(notebooks_folder().glob("*.ipynb"))
    changed = [path.name for path in published if _differs(folder / path.name, path)]
    if changed:
        raise SettingError(f"{folder} has its own {', '.join(changed)}; name another folder, or move them away")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"the notebooks cannot be written to {folder}: {error.strerror or error}") from error
    for path in published:
        write_whole(folder / path.name, path.read_bytes())
    return [folder / path.name for path in published]


def _differs(path: Path, original: Path) -> bool:
    return path.exists() and (not path.is_file() or path.read_bytes() != original.read_bytes())
