"""What must not leave the machine with a message: hub tokens, passwords in addresses, the name of a home folder.

Messages of other libraries quote addresses, headers and paths, and end in traces, exported files and strangers' pages.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

GONE = "[removed]"

_TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_SHORTEST = 8
"""Of a token in the environment: shorter ones would be found in any text."""
_PATTERNS = (
    (re.compile(r"\bhf_[A-Za-z0-9]{8,}"), GONE),
    (re.compile(r"(?i)\b(bearer)\s+[A-Za-z0-9._~+/=-]{16,}"), rf"\1 {GONE}"),
    (re.compile(r"(?i)\b(token|access_token|api_key|password|secret|signature)=[A-Za-z0-9._~%+/-]{8,}"), rf"\1={GONE}"),
    (re.compile(r"(?i)([?&](?:token|key|password|secret|signature|access_token|api_key))=[^&\s'\"]+"), rf"\1={GONE}"),
    (re.compile(r"(?<=://)[^/\s@'\"]+@"), f"{GONE}@"),
)


def without_secrets(text: str) -> str:
    """The text, secrets replaced by :data:`GONE` and the home folder by ``~``."""
    for variable in _TOKEN_VARIABLES:
        token = os.environ.get(variable, "").strip()
        if len(token) >= _SHORTEST:
            text = text.replace(token, GONE)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    home = Path.home()
    if len(home.parts) > 1:
        text = re.sub(rf"(?<![\w.~-]){re.escape(str(home))}(?![\w.-])", "~", text)
    return text


def text_of(error: BaseException) -> str:
    """Class and message of an exception, without secrets."""
    name, message = type(error).__name__, without_secrets(str(error))
    return f"{name}: {message}" if message else name
