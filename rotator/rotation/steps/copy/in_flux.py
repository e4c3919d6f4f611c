"""Ranges of rows that were in flux when all was compared. Their bounds are keys of rows, so the journal never has them.

They are kept on this machine alone; the journal has their tables, and a digest by which they are known again. Where
they are lost, or are others, everything is compared anew: nothing is ever left out.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from rotator.journal.results import Ranges
from rotator.rotation.steps.context import Context

Hot = tuple[Mapping[str, Any], ...]
_BOUNDS = ("low", "high")


def kept(ctx: Context, word: str, unsettled: Iterable[Mapping[str, Any]]) -> tuple[Ranges, str]:
    """Keep the ranges here, under `word`; what the journal is to hold of them instead, and a digest of their bounds."""
    ranges, salt = [dict(each) for each in unsettled], secrets.token_hex(16)
    ctx.memory.keep(word, {"salt": salt, "ranges": ranges})
    tables = tuple({name: value for name, value in each.items() if name not in _BOUNDS} for each in ranges)
    return tables, _digest(salt, ranges)


def recalled(ctx: Context, word: str, noted: Ranges | None, digest: str | None) -> Hot | None:
    """The ranges that were noted so; None when they are not there any more, or are not the ones that were noted."""
    if not noted:
        return ()
    found = ctx.memory.kept(word)
    if not isinstance(found, Mapping) or not isinstance(found.get("ranges"), list):
        return None
    if _digest(str(found.get("salt")), found["ranges"]) != digest:
        return None
    return tuple(found["ranges"])


def _digest(salt: str, ranges: list[Any]) -> str:
    """Salted, as keys can be guessed; the salt lies beside the ranges."""
    return hashlib.sha256(f"{salt} {json.dumps(ranges, sort_keys=True)}".encode()).hexdigest()
