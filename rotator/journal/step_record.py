"""One step's record in the journal, and how it is stored: its result typed by the step's name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from rotator.journal.results import Result
from rotator.journal.results_retire import kind_of


class Status(StrEnum):
    """Where one step stands."""

    NONE = "none"
    INTENDED = "intended"
    ACTED = "acted"
    DONE = "done"
    SKIPPED = "skipped"
    UNDONE = "undone"


@dataclass(frozen=True)
class StepRecord:
    """One step's lines in the journal. Times are ISO 8601 in UTC; `seconds` is wall time, `waited` the part AWS had."""

    status: Status = Status.NONE
    started: str | None = None
    finished: str | None = None
    seconds: float = 0.0
    waited: float = 0.0
    result: Result = field(default_factory=Result)
    reason: str = ""


def step_to_json(record: StepRecord) -> dict[str, Any]:
    """As stored. The result is called `outputs` there. Shallow: every field is JSON as it is."""
    stored = {name: value for name, value in vars(record).items() if name != "result"}
    known = {name: value for name, value in vars(record.result).items() if name != "more" and value is not None}
    return {**stored, "outputs": {**record.result.more, **known}}


def step_from_json(name: str, document: Mapping[str, Any]) -> StepRecord:
    """Read one. Raises ValueError, ValidationError or LookupError where it is damaged."""
    rest = {word: value for word, value in document.items() if word != "outputs"}
    record: StepRecord = typed(_RECORD, rest)
    return replace(record, result=_result(kind_of(name), document.get("outputs", {})))


def _result(kind: type[Result], outputs: Any) -> Result:
    if not isinstance(outputs, Mapping):
        raise TypeError("outputs is no object")
    names = {each.name for each in fields(kind)} - {"more"}
    known = {name: value for name, value in outputs.items() if name in names}
    more = {name: value for name, value in outputs.items() if name not in names}
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    found: Result = _ADAPTERS[kind].validate_json(json.dumps(known), strict=True)
    return replace(found, more=more) if more else found


def typed(kind: TypeAdapter[Any], values: Mapping[str, Any]) -> Any:
    """A dataclass of these values, each of its type, and no others."""
    made = kind.validate_json(json.dumps(values), strict=True)
    unknown = sorted(set(values) - set(asdict(made)))
    if unknown:
        raise ValueError(f"not known here: {', '.join(unknown)}")
    return made


_RECORD = TypeAdapter(StepRecord)
_ADAPTERS: dict[type[Result], TypeAdapter[Any]] = {}
"""Made once for each kind: making one takes longer than reading with it."""
