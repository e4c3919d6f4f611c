"""pydantic's findings about rotation.toml in words: table and key, the fault, the allowed value. Pure."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time
from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from rotator.config.rules import DURATION
from rotator.config.schema import EnvConfig

Location = tuple[int | str, ...]

_SENSITIVE = re.compile(r"password|secret|token|credential|_key$", re.IGNORECASE)
_FOUND = {
    bool: "the boolean",
    int: "the whole number",
    float: "the number",
    str: "the string",
    list: "a list",
    dict: "a table",
    datetime: "a date with time",
    date: "a date",
    time: "a time",
    NoneType: "nothing",
}
_WANTED = {
    "string": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false (no quotes)",
    "tuple": "a list",
    "dict": "a table",
    "model": "a table",
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def problems(fault: ValidationError, data: Mapping[str, Any]) -> tuple[str, ...]:
    """One line per problem, in the order of the file's models; `data` is the parsed file.

    A missing key is not listed when a key that looks like its misspelling is.
    """
    errors = fault.errors(include_url=False)
    unknown = {e["loc"] for e in errors if e["type"] == "extra_forbidden"}
    lines = [
        line
        for error in errors
        if not (error["type"] == "missing" and _misspelt(error["loc"], unknown))
        for line in _lines(error)
    ]
    return tuple(dict.fromkeys(lines))


def _lines(error: ErrorDetails) -> Iterator[str]:
    location, kind = error["loc"], error["type"]
    model, field = _resolve(location)
    name = _name(location)
    if kind == "extra_forbidden":
        place = f"[{name}]" if len(location) == 1 and isinstance(error["input"], dict) else name
        yield f"{place}: {_unknown(location, error['input'])}"
    elif kind == "missing":
        yield f"{name} is missing; {_add(location, field)}"
    elif kind == "value_error":
        yield f"{name}: {error['ctx']['error']}."
    else:
        yield f"{name}: {_wrong(error, model, field)}"


def _wrong(error: ErrorDetails, model: type[BaseModel] | None, field: FieldInfo | None) -> str:
    kind, context = error["type"], error.get("ctx", {})
    found = _found(error["loc"], error["input"])
    example = _example(field)
    such = f" such as {example}" if example else ""
    if kind == "literal_error":
        options = tuple(str(o) for o in get_args(field.annotation)) if field else ()
        near = _nearest(str(error["input"]), options)
        return f"expected one of {', '.join(map(_toml, options))}, found {found}{_did_you_mean(near) or '.'}"
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"expected {words} {context[key]}, found {found}."
    if kind == "string_too_short":
        return f"it is empty; expected a string{such}."
    if kind == "string_too_long":
        return f"it is too long; at most {context['max_length']} characters are allowed."
    if kind == "string_pattern_mismatch" and context["pattern"] == DURATION:
        return f"expected a whole number and s, m, h or d{such}, found {found}."
    if kind == "string_pattern_mismatch":
        return f"expected a string{such}, found {found}."
    return f"expected {_wanted(kind, error['loc'], field)}{such}, found {found}."


def _wanted(kind: str, location: Location, field: FieldInfo | None) -> str:
    if field is not None and _model_of(field.annotation) is None and "settings" in location:
        return "a string or true or false"
    return _WANTED.get(kind.split("_", maxsplit=1)[0], "another value")


# --- places -----------------------------------------------------------------------------------------------------------


def _resolve(location: Location) -> tuple[type[BaseModel] | None, FieldInfo | None]:
    """The model that holds the place, and the field there; either is None where there is none."""
    model: type[BaseModel] | None = EnvConfig
    field: FieldInfo | None = None
    for part in location:
        if model is None or not isinstance(part, str):
            break
        field = model.model_fields.get(part)
        inner = _model_of(field.annotation) if field else None
        if part == location[-1] or field is None or inner is None:
            break
        model = inner
    return model, field


def _model_of(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _name(location: Location) -> str:
    """'[database] identifier', '[dns]' or '[key] users, item 2'."""
    tables: list[str] = []
    rest = list(location)
    model: type[BaseModel] = EnvConfig
    while rest and isinstance(rest[0], str):
        field = model.model_fields.get(rest[0])
        inner = _model_of(field.annotation) if field else None
        if inner is None and not (field is not None and _is_mapping(field)):
            break
        tables.append(str(rest.pop(0)))
        if inner is None:
            break
        model = inner
    table = f"[{'.'.join(tables)}]" if tables else ""
    key = str(rest[0]) if rest else ""
    item = f", item {rest[1] + 1}" if len(rest) > 1 and isinstance(rest[1], int) else ""
    return " ".join(part for part in (table, key) if part) + item


def _is_mapping(field: FieldInfo) -> bool:
    return getattr(field.annotation, "__origin__", None) is dict


def _tables(model: type[BaseModel] = EnvConfig, path: tuple[str, ...] = ()) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        inner = _model_of(field.annotation)
        if inner is not None:
            yield ".".join((*path, name)), inner
            yield from _tables(inner, (*path, name))


# --- advice -----------------------------------------------------------------------------------------------------------


def _unknown(location: Location, value: object) -> str:
    model, word = _resolve(location)[0] or EnvConfig, str(location[-1])
    kind = "table" if isinstance(value, dict) else "key"
    near = _nearest(word, model.model_fields)
    if near:
        return f"unknown {kind}{_did_you_mean(near)}"
    homes = [table for table, inner in _tables() if word in inner.model_fields]
    if homes:
        return f"unknown {kind} here; it belongs in {' or '.join(f'[{home}]' for home in homes)}."
    return f"unknown {kind}; known are {', '.join(model.model_fields)}."


def _misspelt(missing: Location, unknown: Iterable[Location]) -> bool:
    return any(
        other[:-1] == missing[:-1] and _nearest(str(other[-1]), [str(missing[-1])]) is not None for other in unknown
    )


def _nearest(word: str, options: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word.lower(), list(options), n=1)), None)


def _did_you_mean(near: str | None) -> str:
    return f"; did you mean {near}?" if near else ""


def _add(location: Location, field: FieldInfo | None) -> str:
    inner = _model_of(field.annotation) if field else None
    if inner is None:
        return f"add for example {location[-1]} = {_example(field) or '...'}"
    needed = (f"{name} = {_example(f) or '...'}" for name, f in inner.model_fields.items() if f.is_required())
    return f"add the table with {', '.join(needed)}"


# --- values -----------------------------------------------------------------------------------------------------------


def _found(location: Location, value: object) -> str:
    words = _FOUND.get(type(value), "something else")
    if isinstance(value, bool | int | float):
        return f"{words} {_toml(value)}"
    if isinstance(value, str):
        hidden = any(isinstance(part, str) and _SENSITIVE.search(part) for part in location)
        return "a string" if hidden or len(value) > 80 else f"{words} {_toml(value)}"
    return words


def _example(field: FieldInfo | None) -> str:
    if field is None:
        return ""
    if field.examples:
        return _toml(field.examples[0])
    return "" if field.is_required() or not isinstance(field.default, str | int | float) else _toml(field.default)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return str(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
