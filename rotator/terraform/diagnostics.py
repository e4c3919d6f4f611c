"""What Terraform says went wrong, as data: from the `-json` stream, else from the human text. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_BOX = re.compile(r"^[╷│╵] ?", re.MULTILINE)
_HEAD = re.compile(r"^(Error|Warning): ", re.MULTILINE)
_WITH = re.compile(r"^[ \t]*+with (?P<address>\S++)(?<=,)$", re.MULTILINE)


@dataclass(frozen=True)
class Diagnostic:
    """One error or warning. `address` is the resource's, or empty; source snippets (they hold values) are left out."""

    severity: str
    summary: str
    detail: str
    address: str = ""

    @property
    def line(self) -> str:
        text = f"{self.summary}: {_squeeze(self.detail)}" if self.detail else self.summary
        return f"{self.address}: {text}" if self.address else text


def parse_line(line: str) -> dict[str, Any] | None:
    """One line of Terraform's machine-readable UI, or None for anything else (such as a provider's stray print)."""
    if not line.startswith("{"):
        return None
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


def from_stream(lines: Iterable[str]) -> tuple[Diagnostic, ...]:
    """The diagnostics in the output of `plan -json` or `apply -json`."""
    messages = (parse_line(line) for line in lines)
    found = (message["diagnostic"] for message in messages if message and message.get("type") == "diagnostic")
    return tuple(
        Diagnostic(
            severity=str(item.get("severity", "error")),
            summary=str(item.get("summary", "")),
            detail=str(item.get("detail", "")),
            address=str(item.get("address", "")),
        )
        for item in found
    )


def from_text(text: str) -> tuple[Diagnostic, ...]:
    """The diagnostics in human output, with or without colours and boxes."""
    plain = _BOX.sub("", _ANSI.sub("", text))
    heads = list(_HEAD.finditer(plain))
    ends = [head.start() for head in heads[1:]] + [len(plain)] if heads else []
    return tuple(_block(head.group(1).lower(), plain[head.end() : end]) for head, end in zip(heads, ends, strict=True))


def errors(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Only the errors, in order, each once (an apply repeats what its plan said)."""
    return tuple(dict.fromkeys(item for item in diagnostics if item.severity == "error"))


def tail(text: str, lines: int = 5) -> tuple[str, ...]:
    """The last non-empty lines of a text without colours."""
    kept = [line.rstrip() for line in _ANSI.sub("", text).splitlines() if line.strip()]
    return tuple(kept[-lines:])


def _block(severity: str, body: str) -> Diagnostic:
    """A block is: summary, an empty line, perhaps the place (indented, with source), then the detail at column 0."""
    summary, _, rest = body.partition("\n\n")
    where = _WITH.search(rest)
    detail = "\n".join(line for line in rest.splitlines() if not line.startswith("  ")).strip()
    return Diagnostic(severity, _squeeze(summary), detail, where["address"][:-1] if where else "")


def _squeeze(text: str) -> str:
    return " ".join(text.split())
