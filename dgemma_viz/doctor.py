"""``dgemma-viz doctor``: what is installed, what is missing, what to do about it."""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from dgemma_viz.errors import DgemmaVizError

Status = Literal["ok", "missing", "problem"]


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``remedy`` is empty where all is well."""

    status: Status
    subject: str
    detail: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Look at Python, the packages that the distribution requires, its notebooks, and the bundled model."""
    findings = [Finding("ok", "python", platform.python_version())]
    findings += [_package(requirement) for requirement in _requirements()]
    findings.append(_notebooks())
    findings.append(_bundled_model())
    return findings


def report(findings: list[Finding]) -> str:
    """The findings as aligned text, remedies below their lines."""
    width = max(len(finding.subject) for finding in findings)
    marks = {"ok": "ok     ", "missing": "MISSING", "problem": "PROBLEM"}
    lines = []
    for finding in findings:
        lines.append(f"{marks[finding.status]}  {finding.subject:<{width}}  {finding.detail}")
        if finding.remedy:
            lines.append(f"{'':9}{'':<{width}}  -> {finding.remedy}")
    bad = sum(finding.status != "ok" for finding in findings)
    lines.append("everything is in place" if not bad else f"{bad} thing(s) to mend")
    return "\n".join(lines)


def _requirements() -> list[tuple[str, str]]:
    """Name and minimum version of each package required without an extra, read from our own metadata."""
    try:
        stated = metadata.requires("dgemma-viz") or []
    except metadata.PackageNotFoundError:
        return []
    plain = [requirement for requirement in stated if "extra ==" not in requirement]
    parsed = [re.match(r"([A-Za-z0-9_.-]+)(?:>=([0-9.]+))?", requirement) for requirement in plain]
    return [(match[1], match[2] or "0") for match in parsed if match]


def _package(requirement: tuple[str, str]) -> Finding:
    name, minimum = requirement
    try:
        installed = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding("missing", name, f"needs >= {minimum}", f"{sys.executable} -m pip install '{name}>={minimum}'")
    if _version_key(installed) < _version_key(minimum):
        remedy = f"{sys.executable} -m pip install --upgrade '{name}>={minimum}'"
        return Finding("problem", name, f"{installed} is older than {minimum}", remedy)
    return Finding("ok", name, installed)


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+", maxsplit=1)[0])[:3])


def _notebooks() -> Finding:
    from dgemma_viz.serving.notebooks import notebooks_folder

    try:
        count = len(list(notebooks_folder().glob("*.ipynb")))
    except DgemmaVizError as error:
        return Finding("missing", "notebooks", str(error), "pip install --force-reinstall dgemma-viz")
    return Finding("ok", "notebooks", f"{count} found")


def _bundled_model() -> Finding:
    folder = Path(__file__).parent / "tiny" / "weights"
    if not (folder / "model.safetensors").is_file():
        remedy = "reinstall dgemma-viz, or train it: python -m dgemma_viz.tiny.train"
        return Finding("missing", "bundled model", f"no weights in {folder}", remedy)
    try:
        import dgemma_viz

        model, _ = dgemma_viz.load_tiny()
    except Exception as error:  # noqa: BLE001 - whatever is wrong is the finding
        return Finding("problem", "bundled model", f"does not load: {error}", "reinstall dgemma-viz")
    parameters = sum(p.numel() for p in model.parameters())
    return Finding("ok", "bundled model", f"{parameters / 1e6:.1f} M parameters, loads")
