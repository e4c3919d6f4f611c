"""A bug as text: where it happened and of what kind, without the values that messages of Python and drivers quote."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterator

from rotator import __version__
from rotator.domain.errors import RotatorError
from rotator.redaction import redact
from rotator.report.visible import visible

_QUOTED = re.compile(r"\"[^\"\n]*+\"|'[^'\n]*+'|`[^`\n]*+`")
_DIGITS = re.compile(r"\d{3,}+")


def crash_text(fault: BaseException) -> str:
    """The chain of errors, the first one first, each with its frames: what a bug report needs."""
    parts = [f"rotator {__version__}\nPython {sys.version}\n"]
    for each in reversed([*_chain(fault)]):
        frames = "".join(traceback.format_tb(each.__traceback__))
        parts.append(f"{frames}{type(each).__module__}.{type(each).__qualname__}: {message(each)}\n")
    return visible(redact("\n".join(parts)))


def message(fault: BaseException) -> str:
    """What an error says, as far as it can quote no row: all of ours; the kind alone of a driver's."""
    if isinstance(fault, RotatorError):
        return redact(f"{fault.what} {fault.why}".strip())
    if isinstance(fault, OSError):
        return redact(f"{fault.strerror or 'no reason'}{f' ({fault.filename})' if fault.filename else ''}")
    state = getattr(fault, "sqlstate", None)
    if type(fault).__module__.partition(".")[0] == "psycopg":
        return f"SQLSTATE {state}" if state else "an error of the driver"
    text = str(fault)
    # What is left may be a quoted part of its own: then nothing of it is told.
    plain = _DIGITS.sub("#", _QUOTED.sub("'...'", text))
    return redact(plain) if plain.count("'") % 2 == 0 and '"' not in plain else "(its text may quote a value)"


def _chain(fault: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    now: BaseException | None = fault
    while now is not None and now not in seen:
        seen.append(now)
        yield now
        now = now.__cause__ or (None if now.__suppress_context__ else now.__context__)
