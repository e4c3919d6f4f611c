"""Names of objects are joined by `qualified` alone: a plain join makes one of `a."b.c"` and `"a.b".c`."""

import re

import pytest
from import_graph import PACKAGE

JOINS = re.compile(
    r"""\}\.\{(?!\w*\(\))          # an f-string: {schema}.{name}
      | \|\|\s*'[.,\ ]'\s*\|\|     # SQL: schema || '.' || name
      | %[sI]\.%[sI]               # format('%s.%s', schema, name)
      | '\{0?\}\.\{1?\}'           # str.format
      | ["']\.["']\.join\(
      | string_agg\(               # names by a separator: array_agg keeps them apart
      | split\(["'][.,]["']\)      # and what takes such a text apart again
      | partition\(["'][.,]["']\)
    """,
    re.VERBOSE,
)
ROOMS = [
    path
    for room in ("domain", "database", "rotation/steps")
    for path in sorted((PACKAGE / room).rglob("*.py"))
    if path.name not in ("qualified.py", "root_json.py")
]
NOT_NAMES = ("{SCHEMA}.", "pid || ' ' || backend_xid")
"""The tool's own schema before a name of its own (constants), and numbers."""


def joins(source: str) -> list[str]:
    return [
        line.strip() for line in source.splitlines() if JOINS.search(line) and not any(n in line for n in NOT_NAMES)
    ]


def test_no_other_join_of_names() -> None:
    found = {str(path.relative_to(PACKAGE)): joins(path.read_text()) for path in ROOMS}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        'key = f"{database}.{schema}.{name}"',
        "select n.nspname || '.' || c.relname",
        "select format('%s.%s: %s', n.nspname, c.relname)",
        '".".join(parts)',
        'schema, name = key.split(".")',
        'schema, _, name = key.rpartition(".")',
        "string_agg(relname, ', ')",
    ],
)
def test_each_kind_of_join_is_seen(line: str) -> None:
    assert joins(line) == [line]
