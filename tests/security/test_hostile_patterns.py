"""Whoever can put a line into a log that is read (any database user can): one that makes a pattern run for minutes.

They gain a rotation that stands still, if it must be inside the window.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import re._parser as parser  # type: ignore[import-not-found]
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rotator
from rotator.database.postgres.replication.apply_log import apply_errors, apply_keys, connection_errors
from rotator.host.typed import Typed
from rotator.redaction import redact
from rotator.terraform.diagnostics import from_text

ATOMS = ("a", " ", "\t", "a ", "A", "0", "(", '"', "'", "=", "://", "a:", "\n", " \n", "-", ".")
SIZE = 8_000
CALLS = {"compile", "search", "match", "fullmatch", "findall", "finditer", "sub", "split"}


def patterns() -> dict[str, re.Pattern[str]]:
    """Every pattern of the package that is a constant of the code, by module and text."""
    found: dict[str, re.Pattern[str]] = {}
    for info in pkgutil.walk_packages(rotator.__path__, "rotator."):
        module = importlib.import_module(info.name)
        for value in [each for held in vars(module).values() for each in _each(held)]:
            found[f"{info.name}: {value.pattern}"] = value
        for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS:
                first = node.args[0] if node.args else None
                named = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
                if named and isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.setdefault(f"{info.name}: {first.value}", re.compile(first.value, re.MULTILINE))
    return found


def _each(held: Any, depth: int = 2) -> Iterator[re.Pattern[str]]:
    if isinstance(held, re.Pattern) and isinstance(held.pattern, str):
        yield held
    elif isinstance(held, list | tuple) and depth:
        for each in held:
            yield from _each(each, depth - 1)


def fragments(pattern: str) -> Iterator[str]:
    """The pattern's own words, one after the other: what an attacker would repeat."""
    words = _words(parser.parse(pattern))
    runs = [run for run in "".join(words).split("\0") if run]
    yield from runs
    for n in range(len(runs)):
        yield "".join(runs[: n + 1])
        yield " ".join(runs[: n + 1])
        yield "\n".join(runs[: n + 1]) + "\n"


def _words(parsed: Any) -> Iterator[str]:
    for op, argument in parsed:
        name = str(op)
        if name == "LITERAL":
            yield chr(argument)
        elif name == "SUBPATTERN":
            yield from _words(argument[-1])
        elif name == "BRANCH":
            yield "\0"
            yield from _words(argument[1][0])
            yield "\0"
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT") and argument[0]:
            yield from _words(argument[2])
        else:
            yield "\0"


def seconds(work: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    work(text)
    return time.process_time() - began


def grows_too_fast(work: Callable[[str], object], atom: str) -> bool:
    """Whether twice the text takes three times as long or more; what is too quick to be measured does not."""
    text = atom * (SIZE // len(atom)) + "\x01"
    if seconds(work, text) < 0.005:
        return False
    once = min(seconds(work, text) for _ in range(3))
    return min(seconds(work, text[:-1] * 2 + "\x01") for _ in range(3)) / once > 3.0


PATTERNS = patterns()


def test_the_patterns_are_found() -> None:
    assert len(PATTERNS) > 40


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_reads_hostile_text_in_a_time_that_grows_with_it(name: str) -> None:
    pattern = PATTERNS[name]
    slow = [atom for atom in (*ATOMS, *fragments(pattern.pattern)) if grows_too_fast(pattern.search, atom)]
    assert slow == []


LOG = "2026-01-01 00:00:00 UTC::@:[77]:ERROR:  x"
READERS: dict[str, Callable[[str], object]] = {
    "apply_errors": lambda text: apply_errors([LOG, "\t" + text]),
    "apply_keys": lambda text: apply_keys([LOG, "\t" + text]),
    "connection_errors": lambda text: connection_errors([text]),
    "redact": redact,
    "say": Typed().say,
    "diagnostics": from_text,
}
LOGS = ("Key (", "Key (a)=(", ")=(", "rotator ", "Error: ", "ERROR:  ", "CONTEXT:  ")
SECRETS = ("pass", "pass=", "password='", "://", "a://", "://a:", '\\"', "\\", "--pass ")


@pytest.mark.parametrize("name", READERS)
def test_a_reader_of_hostile_text_takes_a_time_that_grows_with_it(name: str) -> None:
    assert [atom for atom in (*ATOMS, *LOGS, *SECRETS) if grows_too_fast(READERS[name], atom)] == []
