"""Values of rows that journals of older versions hold: dropped when one is read, and so from the next save on.

What depended on them is found again: without the bounds of ranges in flux, everything is compared anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rotator.journal.results import CutoverResult, ValidateResult

_RANGES = {ValidateResult.step: ("hot",), CutoverResult.step: ("hot_back",)}
_BOUNDS = ("low", "high")
_QUOTED = re.compile(r"(Key \([^()]{1,500}\)=|Failing row contains )\(.*\)", re.DOTALL)
"""How PostgreSQL quotes a row in the details of an error."""


def scrubbed(steps: Mapping[str, Any]) -> dict[str, Any]:
    """A rotation's steps, as stored, without bounds of ranges, statements of sessions, rows that errors quote."""
    return {name: _step(name, step) for name, step in steps.items()}


def _step(name: str, step: Any) -> Any:
    if isinstance(step, Mapping) and isinstance(step.get("reason"), str):
        step = {**step, "reason": _QUOTED.sub(r"\1(...)", step["reason"])}
    outputs = step.get("outputs") if isinstance(step, Mapping) else None
    if not isinstance(outputs, Mapping):
        return step
    clean = dict(outputs)
    for word in _RANGES.get(name, ()):
        if isinstance(clean.get(word), list):
            clean[word] = [_without_bounds(each) for each in clean[word]]
    if isinstance(clean.get("cut_off"), list):
        clean["cut_off"] = [_without_statement(each) for each in clean["cut_off"]]
    return {**step, "outputs": clean}


def _without_bounds(each: Any) -> Any:
    return {k: v for k, v in each.items() if k not in _BOUNDS} if isinstance(each, Mapping) else each


def _without_statement(line: Any) -> Any:
    """'pid 7 (user app, open since 10:00:00.1 UTC): insert ...' as it is written today."""
    head, end, _ = str(line).partition(" UTC): ")
    if end:
        return f"{head} UTC)"
    head, end, _ = str(line).partition("): ")
    return f"{head})" if end else line
