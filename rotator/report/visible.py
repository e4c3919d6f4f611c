"""Text that others have written (names, messages, tags, DNS answers), made safe to print. Pure.

A terminal obeys escape sequences, and some runners of CI obey lines that begin with `::` or `##[`. Whoever may name a
table, a session or a tag could give them orders otherwise.
"""

from __future__ import annotations

import re
import unicodedata

_KEPT = "\n\t"
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of what is not seen: controls, formats (such as those that turn the direction), separators."""
_ORDER = re.compile(r"^([ \t]*+)(?=::|##\[)", re.MULTILINE)


def visible(text: str) -> str:
    r"""The text with each character that is not seen spelt out (`\x1b`); line ends and tabs stay."""
    if not text.isascii() or not text.replace("\n", "").isprintable():
        text = "".join(_spelt(each) for each in text)
    return _ORDER.sub(r"\1\\", text)


def one_line(text: str) -> str:
    """As `visible`, with line ends spelt out too."""
    return visible(text.replace("\r", "\\r").replace("\n", "\\n"))


def _spelt(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _HIDDEN:
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"
