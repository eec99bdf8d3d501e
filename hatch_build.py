"""The long description: the README, with links that work where there is no repository around it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PICTURE = re.compile(r"!\[([^\]]*)\]\((?!https?:)([^)]+)\)")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:)([^)]+)\)")


class LongDescription(MetadataHookInterface):
    """Set ``readme`` when the package is built."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Take the repository's address from GitHub's own variables, which a release is built with."""
        text = (Path(self.root) / "README.md").read_text("utf-8")
        name = os.environ.get("GITHUB_REPOSITORY")
        address = f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}" if name else None
        version = os.environ.get("GITHUB_REF_NAME", "main")
        metadata["readme"] = {"content-type": "text/markdown", "text": standing_alone(text, address, version)}


def standing_alone(text: str, address: str | None, version: str) -> str:
    """Lead relative links to the repository at this branch or tag; without an address only their texts are left."""
    if address is None:
        return LINK.sub(r"\1", PICTURE.sub("", text))
    text = PICTURE.sub(rf"![\1]({address}/raw/{version}/\2)", text)
    return LINK.sub(rf"[\1]({address}/blob/{version}/\2)", text)
