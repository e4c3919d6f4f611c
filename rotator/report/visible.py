"""Text of others (names, messages, tags, DNS answers), made safe to print. Pure.

A terminal obeys escape sequences, and some CI runners obey lines that begin with `::` or `##[`. A user who may name a
table, a session or a tag could otherwise control them.
"""

from __future__ import annotations

import re
import unicodedata

_KEPT = "\n\t"
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of invisible characters: controls, formats (such as direction marks), separators."""
_ORDER = re.compile(r"^([ \t]*+)(?=::|##\[)", re.MULTILINE)


def visible(text: str) -> str:
    r"""The text with each invisible character escaped (`\x1b`); line ends and tabs stay."""
    if not text.isascii() or not text.replace("\n", "").isprintable():
        text = "".join(_spelt(each) for each in text)
    return _ORDER.sub(r"\1\\", text)


def one_line(text: str) -> str:
    """As `visible`, with line ends escaped too."""
    return visible(text.replace("\r", "\\r").replace("\n", "\\n"))


def _spelt(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _HIDDEN:
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"
