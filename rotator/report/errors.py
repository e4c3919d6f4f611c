"""The text of an error: what happened, why, what to do. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

from rotator.domain.errors import RotatorError

WIDTH = 80


def render_error(error: RotatorError, say: Callable[[str], str] = str, *, on_terminal: bool = False) -> str:
    """Three parts, at most 80 columns where words allow it; details are kept as they are, for copying.

    `say` rewrites commands as the user can type them; `on_terminal`: a person reads it, who may see keys of rows.

    error (no-such-database): There is no DB instance orders in eu-central-1.
      why  RDS knows these: orders-a, orders-b.
      fix  Correct [database] identifier in envs/prod/rotation.toml.
           a detail
    """
    lines = _wrapped(f"error ({error.code}): ", "  ", say(error.what))
    for label, text in (("why", error.why), ("fix", error.fix)):
        if text:
            lines += _wrapped(f"  {label}  ", " " * 7, say(text))
    details = (*error.details, *(error.on_terminal if on_terminal else _held_back(error)))
    lines += [f"       {line}" for detail in details for line in say(detail).splitlines()]
    return "\n".join(lines) + "\n"


def error_json(error: RotatorError) -> dict[str, Any]:
    """The same for machines."""
    return {
        "error": {
            "code": error.code,
            "what": error.what,
            "why": error.why,
            "fix": error.fix,
            "details": list(error.details),
            "exit_code": int(error.exit_code),
        }
    }


def _held_back(error: RotatorError) -> tuple[str, ...]:
    """Replaces the rows' keys in output that is stored: in a file, a log, a pipe."""
    if not error.on_terminal:
        return ()
    return ("(the rows' keys are shown on a terminal only: run the same command there)",)


def _wrapped(first: str, rest: str, text: str) -> list[str]:
    """Wrapped at spaces only: an ARN, a path or an option is never broken."""
    lines: list[str] = []
    for number, paragraph in enumerate(text.splitlines() or [""]):
        lines += textwrap.wrap(
            paragraph,
            WIDTH,
            initial_indent=first if number == 0 else rest,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines
