"""Fonts for text of any script, out of those that the machine has: the first that has a character draws it.

Pillow draws one font at a time and does not tell what a font lacks; its picture of a missing character does. Emoji of
several code points, and right-to-left words, are shaped where Pillow has Raqm, as its wheels for Linux and macOS do.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

MONO: Final = ("DejaVuSansMono.ttf", "Menlo.ttc", "consola.ttf", "LiberationMono-Regular.ttf")
_OTHERS: Final = (
    ("DejaVuSans.ttf", "Arial Unicode.ttf", "segoeui.ttf", "LiberationSans-Regular.ttf"),
    ("NotoSansCJK-Regular.ttc", "NotoSansMonoCJKjp-Regular.otf", "Hiragino Sans GB.ttc", "YuGothM.ttc", "msgothic.ttc"),
    ("NotoSansArabic-Regular.ttf", "GeezaPro.ttc", "tahoma.ttf"),
    ("NotoSansDevanagari-Regular.ttf", "Kohinoor.ttc", "Nirmala.ttf"),
    ("NotoSansThai-Regular.ttf", "Thonburi.ttc", "LeelawUI.ttf"),
    ("AppleSDGothicNeo.ttc", "malgun.ttf"),
)
"""Of each line the first that is there."""
_EMOJI: Final = (("NotoColorEmoji.ttf", 109), ("Apple Color Emoji.ttc", 160), ("seguiemj.ttf", 109))
"""With the size that their pictures have."""
_NO_CHARACTER = "\U0010ffff"
_EMOJI_FROM, _AS_EMOJI = 0x1F000, "\ufe0f"
_JOINERS = "\u200c\u200d\ufe0e\ufe0f"


class Fonts:
    """Fonts of one size.

    Parameters
    ----------
    pillow
        ``Image``, ``ImageDraw`` and ``ImageFont``.
    first
        The font that is tried first.
    size
        Pixels of its letters.
    """

    def __init__(self, pillow: tuple[Any, Any, Any], first: Any, size: int) -> None:
        self._image, self._draw, self._types = pillow
        loaded = [self._first((name, size) for name in names) for names in _OTHERS]
        self._fonts = [first, *(font for font in loaded if font is not None)]
        self._emoji = self._first(_EMOJI)
        self._emoji_size = round(size * 1.2)
        self.lacking: set[str] = set()
        """Characters that no font has: a box is drawn for each."""
        self._shapes: bool = bool(_raqm())
        self._known: dict[str, int] = {}
        self._widths: dict[tuple[str, int, bool], float] = {}
        self._pictures: dict[str, Any] = {}

    def _first(self, names: Any) -> Any:
        for name, size in names:
            try:
                return self._types.truetype(name, size)
            except OSError:
                continue
        return None

    def of(self, text: str) -> int:
        """The number of the font for what is one character to a reader; -1 for a picture."""
        if text not in self._known:
            self._known[text] = self._chosen(text)
        return self._known[text]

    def _chosen(self, text: str) -> int:
        letter = text[0]
        wants_picture = ord(letter) >= _EMOJI_FROM or _AS_EMOJI in text
        if wants_picture and self._has(self._emoji, letter):
            return -1
        for number, font in enumerate(self._fonts):
            if self._has(font, letter):
                return number
        if self._has(self._emoji, letter):
            return -1
        if letter not in _JOINERS and not letter.isspace():
            self.lacking.add(letter)
        return 0

    def _has(self, font: Any, letter: str) -> bool:
        if font is None:
            return False
        mask, none = font.getmask(letter), font.getmask(_NO_CHARACTER)
        return bool(mask.size != none.size or bytes(mask) != bytes(none))

    def width(self, text: str, font: int, *, rtl: bool = False) -> float:
        """Pixels that a text takes."""
        key = text, font, rtl
        if key not in self._widths:
            if font < 0:
                self._widths[key] = float(self._picture(text).size[0])
            else:
                how = {"direction": "rtl"} if rtl and self._shapes else {}
                self._widths[key] = float(self._fonts[font].getlength(text, **how))
        return self._widths[key]

    def put(self, image: Any, draw: Any, place: tuple[float, float], text: str, font: int, **how: Any) -> None:
        """Draw a text whose base line begins at ``place``; ``how``: ``fill`` and ``rtl``."""
        x, y = place
        if font < 0:
            picture = self._picture(text)
            image.paste(picture, (round(x), round(y - 0.82 * picture.size[1])), picture)
            return
        direction = {"direction": "rtl"} if how["rtl"] and self._shapes else {}
        draw.text((x, y), text, fill=how["fill"], font=self._fonts[font], anchor="ls", **direction)

    def _picture(self, text: str) -> Any:
        if text not in self._pictures:
            wide = max(1, round(self._emoji.getlength(text)))
            high = self._emoji.size * 5 // 4
            picture = self._image.new("RGBA", (wide, high))
            self._draw.Draw(picture).text((0, 0), text, font=self._emoji, embedded_color=True)
            size = max(1, round(wide * self._emoji_size / high)), self._emoji_size
            self._pictures[text] = picture.resize(size, self._image.Resampling.LANCZOS)
        return self._pictures[text]


@cache
def _raqm() -> bool:
    from PIL import features

    return bool(features.check("raqm"))
