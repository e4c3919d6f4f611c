"""Secrets blotted out of text that leaves the machine by hand, such as a crash file. Pure; in one pass each.

Blots too much rather than too little: an unquoted value ends with its line.
"""

from __future__ import annotations

import re

_BLOT = "***"
_NAME = re.compile(r"(?<![\w-])(?P<name>[\w-]++)(?P<sep>\\*+[\"']?\s{0,8}(?:=>|[:=]{1,2})\s{0,8}|\s{1,8}(?=[eE]?\\*'))")
"""A name and what stands before its value: `=`, `:`, or nothing before a quoted one, as in SQL."""
_OPTION = re.compile(r"(?<!\S)--?(?P<name>[\w-]++)(?P<sep>\s{1,8})(?=[^\s-])")
_SECRET = re.compile(r"pass(?:$|_|w|ph)|pwd|secret|token|credential|signature|authorization|bearer", re.IGNORECASE)
_QUOTE = re.compile(r"\\*+[\"']")
_URL = re.compile(r"://(?P<rest>[^\s\"'<>]++)")
_ACCESS_KEY = re.compile(r"(?<![A-Z0-9])A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{12,124}+")
_LONG = re.compile(r"(?<![\w/+=.:-])[\w/+]{40,}+={0,2}(?![\w/+=.-])")
"""What an AWS secret key (40 characters) or a session token looks like; a digest in hexadecimal is none."""


def redact(text: str) -> str:
    """The text with `***` for what looks like a password, a key, a token, or the login in a URL."""
    return "".join(_line(line) for line in text.splitlines(keepends=True))


def _line(line: str) -> str:
    line = _named(line, _OPTION)
    line = _named(line, _NAME)
    line = _URL.sub(_login, line)
    line = _ACCESS_KEY.sub(_BLOT, line)
    return _LONG.sub(_mixed, line)


def _named(line: str, pattern: re.Pattern[str]) -> str:
    parts, past = [], 0
    for found in pattern.finditer(line):
        if found.start() < past or not _is_secret(found["name"]):
            continue
        end = _value_end(line, found.end(), word=pattern is _OPTION)
        parts += [line[past : found.end()], _BLOT]
        past = end
    return "".join([*parts, line[past:]])


def _is_secret(name: str) -> bool:
    return bool(_SECRET.search(name)) or name.lower().replace("-", "_").endswith(("access_key", "accesskey", "key_id"))


def _value_end(line: str, start: int, *, word: bool) -> int:
    """Where the value that begins at `start` ends: with its quote, with its word, or with its line."""
    place = start + 1 if line[start : start + 1] in ("e", "E") and line[start + 1 : start + 2] in ("'", "\\") else start
    quote = _QUOTE.match(line, place)
    if quote is None:
        return len(line.rstrip("\n")) if not word else start + len(line[start:].split(maxsplit=1)[0])
    return _quote_end(line, quote.end(), quote[0])


def _quote_end(line: str, place: int, quote: str) -> int:
    """Past the closing quote; a doubled one, or one behind more backslashes than the opening one, is of the value."""
    mark, slashes = quote[-1], len(quote) - 1
    while (found := line.find(mark, place)) >= 0:
        before = len(line[place:found]) - len(line[place:found].rstrip("\\"))
        if before <= slashes and not (slashes == 0 and line[found + 1 : found + 2] == mark):
            return found + 1
        place = found + (2 if before <= slashes else 1)
    return len(line.rstrip("\n"))


def _login(found: re.Match[str]) -> str:
    login, at, host = found["rest"].rpartition("@")
    user, colon, _ = login.partition(":")
    return f"://{user}:{_BLOT}@{host}" if at and colon else found[0]


def _mixed(found: re.Match[str]) -> str:
    kinds = (str.isupper, str.islower, str.isdigit)
    return _BLOT if all(any(map(kind, found[0])) for kind in kinds) else found[0]
