"""A row as 64 bits, for comparisons of key ranges that cost less than reading the rows out would.

It tells apart what `checksum` does, by the same expressions, and is faster because a hash function is called for each
column where its type has one that is exact:

- Each column is hashed with a seed of its own, and the hashes are xored; so swapped columns do not cancel out.
- The xor is hashed once more, as the 64 bit seed of a hash of nothing: otherwise the lowest bits of a sum could not
  tell rows that swap the values of one column. (hashint8extended(x, 0) would fold x to 32 bits; a seed is not folded.)
- A bigint's upper half is hashed into the seed of its lower half, as its hash alone folds the two (see above).
- numeric is hashed as text: its own hash knows neither sign nor scale, and its text is cheaper than its send format.
- Where a type's own hash is not exact (timestamps, floats, ...), its send format is hashed, as text: no function hashes
  bytea, except as a record's only field, which is dearer for short values and cheaper for long ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from rotator.database.postgres.compare.checksum import Column
from rotator.domain.qualified import quoted

_DIRECT = {
    "bool": "pg_catalog.hashint4extended({column}::pg_catalog.int4, {seed})",
    "bytea": "pg_catalog.hash_record_extended(row({column}), {seed})",
    "char": "pg_catalog.hashcharextended({column}, {seed})",
    "date": 'pg_catalog.hashtextextended(pg_catalog.date_send({column})::text collate pg_catalog."C", {seed})',
    "int2": "pg_catalog.hashint2extended({column}, {seed})",
    "int4": "pg_catalog.hashint4extended({column}, {seed})",
    "int8": "pg_catalog.hashint8extended({column}, pg_catalog.hashint8extended({column} >> 32, {seed}))",
    "name": "pg_catalog.hashnameextended({column}, {seed})",
    "numeric": 'pg_catalog.hashtextextended({column}::text collate pg_catalog."C", {seed})',
    "oid": "pg_catalog.hashoidextended({column}, {seed})",
    "uuid": "pg_catalog.uuid_hash_extended({column}, {seed})",
}
"""Type of pg_catalog -> its exact hash. All are there since PostgreSQL 11, but for records: 14."""

_SENT = {"bpchar", "float4", "float8", "interval", "money", "time", "timetz", "timestamp", "timestamptz"}
"""Types whose column expression is their send format."""

VERSION = sql.SQL("t.xmin::text || t.ctid::text")
"""Which version of a row it is: every update makes another. Freezing does not show in xmin (PostgreSQL 9.4)."""


_SYMBOLS = ("<", "<=", "=", ">=", ">")
"""In the order of a btree's strategies."""
_BELOW, UP_TO, _AT_LEAST, ABOVE = 0, 1, 3, 4


def row_digest(columns: Sequence[Column], version: int) -> sql.Composable:
    """64 bits of one row of `t`; `version` as the server's number, such as 150018."""
    parts = [_hash(column, seed, version) for seed, column in enumerate(columns, start=1)]
    parts = parts or [sql.SQL("1::pg_catalog.int8")]
    return sql.SQL("pg_catalog.hashint4extended(0, {})").format(sql.SQL(" # ").join(parts))


def above(columns: Sequence[Column], values: Sequence[str]) -> sql.Composable:
    """SQL condition: the key is above these values. A comparison of rows, which an index on the key can serve."""
    return compare(columns, ABOVE, _typed(columns, values))


def up_to(columns: Sequence[Column], values: Sequence[str]) -> sql.Composable:
    """SQL condition: the key is not above these values."""
    return compare(columns, UP_TO, _typed(columns, values))


def compare(columns: Sequence[Column], operator: int, values: Sequence[sql.Composable]) -> sql.Composable:
    """SQL condition: the key is ABOVE or UP_TO these values. Operators of extensions are named with their schemas."""
    kinds = {_operator(column, operator) for column in columns}
    if len(kinds) == 1:
        key = (sql.Identifier("t", column.name) for column in columns)
        return sql.SQL("({}) {} ({})").format(sql.SQL(", ").join(key), sql.SQL(kinds.pop()), sql.SQL(", ").join(values))
    # A row has one operator for all of its columns. The first column's condition is what an index can serve.
    bound, strict = (_AT_LEAST, ABOVE) if operator == ABOVE else (UP_TO, _BELOW)
    first, name = columns[0], sql.Identifier("t", columns[0].name)
    return sql.SQL("({0} {1} {2} and ({0} {3} {2} or {4}))").format(
        *(name, sql.SQL(_operator(first, bound)), values[0], sql.SQL(_operator(first, strict))),
        compare(columns[1:], operator, values[1:]),
    )


def _operator(column: Column, operator: int) -> str:
    if not column.operators:
        return _SYMBOLS[operator]
    schema, name = column.operators[operator]
    return "".join(("operator(", quoted(schema), ".", name, ")"))


def _typed(columns: Sequence[Column], values: Sequence[str]) -> tuple[sql.Composable, ...]:
    return tuple(literals([column], [value]) for column, value in zip(columns, values, strict=True))


def key_list(columns: Sequence[Column]) -> sql.Composable:
    """The key's columns with commas."""
    return sql.SQL(", ").join(sql.Identifier("t", column.name) for column in columns)


def key_texts(columns: Sequence[Column]) -> tuple[sql.Composable, ...]:
    """The key's columns as `literals` takes them: by their types' output functions, and by no cast of their owners."""
    plain, by_output = sql.SQL("{}::text"), sql.SQL("pg_catalog.format('%s', {})")
    return tuple(
        (plain if column.builtin else by_output).format(sql.Identifier("t", column.name)) for column in columns
    )


def literals(columns: Sequence[Column], values: Sequence[str]) -> sql.Composable:
    """A key's values with commas, as the types under its columns' domains."""
    # `base` is format_type's: quoted where it needs to be, and no input of anybody.
    return sql.SQL(", ").join(
        sql.Literal(value) + sql.SQL("::" + column.base) for column, value in zip(columns, values, strict=True)
    )


def _hash(column: Column, seed: int, version: int) -> sql.Composable:
    number = sql.Literal(seed)
    if not column.builtin or column.type_name not in (*_DIRECT, *_SENT):
        found = sql.SQL("pg_catalog.hashtextextended({}, {})").format(column.expression, number)
    elif column.type_name in _SENT or (column.type_name == "bytea" and version < 140000):
        found = sql.SQL('pg_catalog.hashtextextended({}::text collate pg_catalog."C", {})').format(
            column.expression, number
        )
    else:
        template = sql.SQL(_DIRECT[column.type_name])
        found = template.format(column=sql.Identifier("t", column.name), seed=number)
    return sql.SQL("coalesce({}, {})").format(found, number)
