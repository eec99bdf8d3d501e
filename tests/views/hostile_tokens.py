"""Texts of tokens that would end the script or the comment they are embedded in, and run one of their own."""

from tests.synthetic import NASTY_TEXTS

RAN = "window.ran = 1"
HOSTILE = (
    *NASTY_TEXTS,
    f"</script><script>{RAN}</script>",
    "<!--<script>",
    f"<img src=x onerror='{RAN}'>",
    "\u2028\u2029",
)
