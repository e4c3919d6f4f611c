"""The env root's data (generations.auto.tfvars.json): RootData <-> JSON. Pure.

JSON, and written by json.dumps alone, so that no value is ever interpolated into HCL. The order of keys is fixed, so
that each stage is a small diff that people can read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rotator.domain.errors import ConfigError
from rotator.domain.root import RootData

_ROOT = TypeAdapter(RootData)
_FREE = ("settings", "tags")
"""Maps whose keys are not ours to order by meaning: they are sorted."""


def to_json(data: RootData) -> dict[str, Any]:
    """The data as JSON values: generations in their natural order (g2 before g10), settings and tags sorted."""
    document = asdict(data)
    document["generations"] = {
        name: {half: _ordered(value) for half, value in document["generations"][name].items()}
        for name in sorted(document["generations"], key=_natural)
    }
    document["imports"] = {
        kind: dict(sorted(ids.items(), key=lambda item: _natural(item[0]))) if isinstance(ids, Mapping) else ids
        for kind, ids in document["imports"].items()
    }
    plain: dict[str, Any] = json.loads(_dumps(document))
    return plain


def from_json(document: Mapping[str, Any]) -> RootData:
    """The data of a JSON object. Raises ConfigError when something is missing, unknown, or of another type."""
    try:
        data = _ROOT.validate_json(_dumps(document), strict=True)
    except (ValidationError, ValueError, TypeError) as error:
        raise _damaged(tuple(_reasons(error))) from error
    unknown = tuple(_unknown(document, to_json(data)))
    if unknown:
        raise _damaged(tuple(f"{path}: not known here" for path in unknown))
    if len({record.key for record in data.names}) < len(data.names):
        raise _damaged(("also: a record is named twice",))
    if data.serving not in data.generations:
        raise _damaged((f"serving: there is no generation {data.serving}",))
    return data


def to_text(data: RootData) -> str:
    """The whole file."""
    return _dumps(to_json(data), indent=2) + "\n"


def _dumps(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)


def _ordered(half: dict[str, Any] | None) -> dict[str, Any] | None:
    if half is None:
        return None
    return {name: dict(sorted(value.items())) if name in _FREE else value for name, value in half.items()}


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return tuple((0, int(part), part) if part.isascii() and part.isdigit() else (1, 0, part) for part in parts)


def _unknown(given: object, known: object, path: str = "") -> Iterator[str]:
    """Paths in `given` that did not survive the reading."""
    if isinstance(given, Mapping) and isinstance(known, Mapping):
        for name, value in given.items():
            below = f"{path}.{name}" if path else str(name)
            if name in known:
                yield from _unknown(value, known[name], below)
            else:
                yield below


def _reasons(error: Exception) -> Iterator[str]:
    if isinstance(error, ValidationError):
        # Never the input itself: what is damaged may hold anything.
        for item in error.errors(include_input=False, include_url=False):
            yield f"{'.'.join(map(str, item['loc'])) or 'the whole'}: {item['msg']}"
    else:
        yield str(error)


def _damaged(details: tuple[str, ...]) -> ConfigError:
    return ConfigError(
        f"The root's data is damaged: {details[0] if details else 'it cannot be read'}",
        why="It was changed by hand, or written by another version of rotator.",
        fix="Restore it from version control; it is derived from the journal.",
        details=details,
    )
