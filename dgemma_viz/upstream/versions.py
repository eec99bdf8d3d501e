"""Which versions this package needs of others, and which of those do not run together.

Needs are read from the distribution's own metadata. What clashes is written down here, as it was seen; of versions that
were never tried nothing is said. A development build counts as the release that it leads to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version


@dataclass(frozen=True)
class Clash:
    """Versions with which a loop fails, although each package's own requirements are met."""

    loop: str
    """Class whose loop fails, as in :mod:`dgemma_viz.recorders.registry`."""
    versions: Mapping[str, str]
    """Package to the versions of it that take part."""
    why: str
    remedy: str

    def found(self) -> str:
        """What is installed and does not run together, and why; empty if it is not so."""
        there = {package: installed_version(package) for package in self.versions}
        if not all(there[name] and _is_among(there[name], SpecifierSet(self.versions[name])) for name in there):
            return ""
        first, *others = (f"{package} {version}" for package, version in there.items())
        return f"the {self.loop} of {first} does not run with {', '.join(others)}: {self.why}"


CLASHES = (
    Clash(
        loop="DiffusionGemmaPipeline",
        versions={"diffusers": ">=0.42,<0.43", "transformers": ">=5.24,<6"},
        why="it hands over the key-value cache by a name that transformers no longer takes from 5.24 on",
        remedy="pip install 'transformers<5.24'",
    ),
)
"""Seen on 28 November 2026 with diffusers 0.42.1 and transformers 5.24.0; its ``LLaDA2Pipeline`` runs with both."""


@cache
def required(extra: str = "") -> tuple[Requirement, ...]:
    """What the distribution requires without an extra, or what one extra adds; empty if it is not installed."""
    try:
        stated = [Requirement(text) for text in metadata.requires("dgemma-viz") or []]
    except metadata.PackageNotFoundError:
        return ()
    if not extra:
        return tuple(one for one in stated if one.marker is None or one.marker.evaluate({"extra": ""}))
    return tuple(one for one in stated if _only_with(one, extra))


def shortfall(requirement: Requirement) -> str:
    """What an installation lacks of a requirement, with the version that is there; empty if nothing."""
    installed, needs = installed_version(requirement.name), bounds(requirement)
    if not installed:
        return f"not installed, needs {needs}" if needs else "not installed"
    return "" if _is_among(installed, requirement.specifier) else f"{installed}, needs {needs}"


def clash_of(loop: str) -> str:
    """What does not go with what where this loop is concerned, why, and the way out; empty if nothing is known."""
    told = (f"{found}. {clash.remedy}" for clash in CLASHES if clash.loop == loop and (found := clash.found()))
    return next(told, "")


def installed_version(package: str) -> str:
    """Version of a package, empty if there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def bounds(requirement: Requirement) -> str:
    """The versions that a requirement allows, the least first."""
    return ",".join(sorted((str(one) for one in requirement.specifier), reverse=True))


def _only_with(requirement: Requirement, extra: str) -> bool:
    marker = requirement.marker
    return marker is not None and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})


def _is_among(version: str, versions: SpecifierSet) -> bool:
    return versions.contains(Version(version).base_version)
