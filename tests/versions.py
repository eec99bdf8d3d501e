"""Let packages say that they have another version, or are not there."""

from importlib import metadata

import pytest


@pytest.fixture
def installed(monkeypatch):
    """``installed(diffusers="0.42.1", voila=None)``: what packages say from then on; None is absent."""
    genuine = metadata.version

    def pretend(**versions):
        def version(name):
            if name in versions and versions[name] is None:
                raise metadata.PackageNotFoundError(name)
            return versions.get(name) or genuine(name)

        monkeypatch.setattr(metadata, "version", version)

    return pretend
