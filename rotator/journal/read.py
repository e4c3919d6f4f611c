"""Reading the journal's file: whatever is wrong with it is said in one clear message."""

from __future__ import annotations

import json
from typing import Any

from rotator.domain.errors import Blocked

FIX = "Take the last good journal from version control; do not edit it by hand."


def read_document(raw: bytes, location: str) -> dict[str, Any]:
    """The document in these bytes. Raises Blocked when they are no JSON object."""
    try:
        text = raw.decode("utf-8")
        if not text.strip():
            raise ValueError("the file is empty")
        document = json.loads(text)
    except (ValueError, RecursionError) as fault:
        # Never the text itself; a decoder's message names the place alone.
        raise damaged(f"The journal {location} is not JSON.", f"{type(fault).__name__}: {fault}.") from None
    if not isinstance(document, dict):
        raise damaged(
            f"The journal {location} is not a journal.", f"It is JSON, but a {_kind(document)}, not an object."
        )
    return document


def damaged(what: str, why: str) -> Blocked:
    """The refusal to work with such a journal."""
    return Blocked(what, why=why, fix=FIX, code="journal-damaged")


def _kind(value: object) -> str:
    return {list: "list", str: "string", int: "number", float: "number", bool: "boolean"}.get(type(value), "null")
