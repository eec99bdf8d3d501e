"""``dgemma-viz doctor``: what is installed, what is missing, what to do about it."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.upstream.versions import (
    CLASHES,
    bounds,
    installed_version,
    required,
    shortfall,
)

if TYPE_CHECKING:
    from packaging.requirements import Requirement

Status = Literal["ok", "absent", "missing", "problem"]

_MARKS: dict[Status, str] = {"ok": "ok     ", "absent": "absent ", "missing": "MISSING", "problem": "PROBLEM"}

_EXTRAS = {
    "diffusers": "for diffusers' samplers, and to run the bundled mask-token model",
    "images": "for figures as PNG, SVG and PDF, and for GIFs",
    "video": "for MP4 and WebM",
    "mlx": "for DiffusionGemma in mlx-vlm",
    "large": "for a model that is spread over devices",
}
"""What each extra is good for; those of developers are not among them."""


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``remedy`` is empty where all is well."""

    status: Status
    subject: str
    detail: str
    remedy: str = ""

    @property
    def good(self) -> bool:
        """Whether there is nothing to mend: what may be absent is no fault."""
        return self.status in ("ok", "absent")


def examine() -> list[Finding]:
    """Look at Python, what is required or could be and its versions, the notebooks, and the bundled model."""
    findings = [Finding("ok", "python", platform.python_version())]
    findings += [_package(requirement) for requirement in required()]
    findings += [_extra(extra, purpose) for extra, purpose in _EXTRAS.items()]
    findings += [
        Finding("problem", next(iter(clash.versions)), found, f"{sys.executable} -m {clash.remedy}")
        for clash in CLASHES
        if (found := clash.found())
    ]
    findings.append(_notebooks())
    findings.append(_bundled_model())
    return findings


def report(findings: list[Finding]) -> str:
    """The findings as aligned text, remedies below their lines."""
    width = max(len(finding.subject) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.status]}  {finding.subject:<{width}}  {finding.detail}")
        if finding.remedy:
            lines.append(f"{'':9}{'':<{width}}  -> {finding.remedy}")
    bad = sum(not finding.good for finding in findings)
    lines.append("everything is in place" if not bad else f"{bad} {'thing' if bad == 1 else 'things'} to mend")
    return "\n".join(lines)


def _package(requirement: Requirement) -> Finding:
    lacks = shortfall(requirement)
    if not lacks:
        return Finding("ok", requirement.name, installed_version(requirement.name))
    status: Status = "problem" if installed_version(requirement.name) else "missing"
    return Finding(status, requirement.name, lacks, _install(f"{requirement.name}{bounds(requirement)}"))


def _extra(extra: str, purpose: str) -> Finding:
    """One line for all that an extra adds; what is required anyway has a line, and may clash."""
    always = {requirement.name for requirement in required()}
    added = [requirement for requirement in required(extra) if requirement.name not in always]
    subject = f"[{extra}]"
    if absent := [requirement.name for requirement in added if not installed_version(requirement.name)]:
        return Finding("absent", subject, f"without {', '.join(absent)}; {purpose}", _install(f"dgemma-viz[{extra}]"))
    if wrong := [requirement for requirement in added if shortfall(requirement)]:
        detail = "; ".join(f"{requirement.name} {shortfall(requirement)}" for requirement in wrong)
        return Finding("problem", subject, detail, _install(*(f"{one.name}{bounds(one)}" for one in wrong)))
    return Finding("ok", subject, ", ".join(f"{one.name} {installed_version(one.name)}" for one in added))


def _install(*wanted: str) -> str:
    return f"{sys.executable} -m pip install " + " ".join(f"'{one}'" for one in wanted)


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
