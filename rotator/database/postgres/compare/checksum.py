"""Count and digest of a table: one pass on the server, in ranges of blocks, order-independent.

Every row becomes 64 bits, and the digest is their sum (as numeric, so that it cannot overflow). What makes it sound:

- `hash_record_extended` alone is not enough. It combines columns as 31 * a + b, so in a sum over the rows two
  rows that swap the values of one column cancel out: each row's hash is hashed once more before it is summed.
- Its hash of bigint and of timestamps folds 64 bits to 32 (0 and 4294967297 are equal to it), and its hashes treat
  equal values alike (1.0 and 1.00, 0 and -0, '24 hours' and '1 day', citext, case-insensitive collations). Such
  columns are hashed as their binary send format, or as text, which tell them apart.
- PostgreSQL 13 has no hash_record_extended: there the text of the row is hashed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import sql

from rotator.database.interface import Target
from rotator.database.postgres.connection import Connection, session
from rotator.database.postgres.reading import owners
from rotator.database.postgres.reading.session import hold, read, unwritten
from rotator.domain.database import Table, TableDigest
from rotator.domain.progress import Progress

CHUNK_ROWS = 100_000
CHUNK_BLOCKS = (64, 65_536)
"""Least and most blocks (of 8 KB) of a chunk."""

_AS_IS = {"bool", "int2", "int4", "oid", "date", "uuid", "bytea", "char", "name"}
_TEXT = {"text", "varchar"}
"""Hashed as they are under a deterministic collation."""
_SEND = {
    "int8": "int8send",
    "float4": "float4send",
    "float8": "float8send",
    "numeric": "numeric_send",
    "timestamp": "timestamp_send",
    "timestamptz": "timestamptz_send",
    "time": "time_send",
    "timetz": "timetz_send",
    "interval": "interval_send",
    "money": "cash_send",
    "bpchar": "bpcharsend",
}
"""Type -> function of pg_catalog that gives its exact contents as bytea. bpchar::text would drop trailing blanks."""

_COLUMNS = """
with recursive wanted(n, relid) as (
  select n, name::regclass from unnest(%(tables)s::text[]) with ordinality w(name, n)
), base(n, relid, attnum, typ, typmod) as (
  select w.n, w.relid, a.attnum, a.atttypid, a.atttypmod from wanted w join pg_attribute a on a.attrelid = w.relid
   where a.attnum > 0 and not a.attisdropped and to_jsonb(a)->>'attgenerated' <> 'v'
  union all
  select b.n, b.relid, b.attnum, t.typbasetype, t.typtypmod from base b join pg_type t on t.oid = b.typ
   where t.typtype = 'd'
)
select b.n, a.attname, t.typname, t.typnamespace = 'pg_catalog'::regnamespace, coalesce(c.collisdeterministic, true),
       format_type(b.typ, b.typmod),
       case when t.typnamespace <> 'pg_catalog'::regnamespace then (
         select array_agg(array[n.nspname, o.oprname]::text[] order by m.amopstrategy)
           from pg_opclass k join pg_am h on h.oid = k.opcmethod and h.amname = 'btree'
           join pg_amop m on m.amopfamily = k.opcfamily and m.amoplefttype = k.opcintype
                and m.amoprighttype = k.opcintype and m.amopstrategy between 1 and 5
           join pg_operator o on o.oid = m.amopopr join pg_namespace n on n.oid = o.oprnamespace
          where k.opcintype = t.oid and k.opcdefault) end
  from base b join pg_type t on t.oid = b.typ and t.typtype <> 'd'
  join pg_attribute a on a.attrelid = b.relid and a.attnum = b.attnum
  left join pg_collation c on c.oid = a.attcollation
 order by b.n, a.attnum
"""
"""Columns with the type under their domains, and the five operators that order it if they are an extension's own.
Virtual generated columns (PostgreSQL 18) hold no data."""

_BLOCKS = """
select pg_relation_size(%(table)s::regclass) / current_setting('block_size')::int,
       case when relpages > 0 and reltuples > 0 then reltuples / relpages else 50 end
  from pg_class where oid = %(table)s::regclass
"""


@dataclass(frozen=True)
class Column:
    """A stored column. `type_name` is the type under its domains, `base` what a cast to that type says.

    A cast to a domain itself would run its checks, which are functions of whoever made it.

    `operators`: (schema, name) of <, <=, =, >=, > of a type that is not of pg_catalog and has its own (ltree, citext).
    """

    name: str
    type_name: str
    builtin: bool
    deterministic: bool
    base: str
    operators: tuple[tuple[str, str], ...] = ()

    @property
    def expression(self) -> sql.Composable:
        """What of it goes into the row's hash."""
        return column_expression(self.name, self.type_name, builtin=self.builtin, deterministic=self.deterministic)


def columns_of(connection: Connection, tables: Sequence[sql.Identifier]) -> tuple[tuple[Column, ...], ...]:
    """The stored columns of each of the tables (schema and name), in their order; one statement."""
    names = [table.as_string(connection) for table in tables]
    found: list[list[Column]] = [[] for _ in names]
    for number, *plain, operators in connection.execute(_COLUMNS, {"tables": names}).fetchall():
        name, type_name, builtin, deterministic, base = plain
        ordered = tuple((str(schema), str(operator)) for schema, operator in operators or ())
        found[int(number) - 1].append(Column(name, type_name, builtin, deterministic, base, ordered))
    return tuple(tuple(columns) for columns in found)


def column_expression(name: str, type_name: str, *, builtin: bool, deterministic: bool) -> sql.Composable:
    """What of a column goes into the row's hash: itself, its send format, or its text.

    The text of a type that PostgreSQL does not bring is what its output function gives, which only superusers can make:
    a cast of it to text may be a function of its owner (PostgreSQL, CREATE CAST), and a record calls none.
    """
    column = sql.Identifier("t", name)
    if builtin and (type_name in _AS_IS or (type_name in _TEXT and deterministic)):
        return column
    if builtin and type_name in _SEND:
        return sql.SQL("pg_catalog.{}({})").format(sql.Identifier(_SEND[type_name]), column)
    return sql.SQL('{}::text collate pg_catalog."C"').format(column if builtin else sql.SQL("row({})").format(column))


def row_hash(columns: sql.Composable, version: int) -> sql.Composable:
    """64 bits of one row; `version` as the server's number, such as 150018."""
    if version < 140000:
        return sql.SQL('hashtextextended(row({})::text collate "C", 0)').format(columns)
    return sql.SQL('hashtextextended(hash_record_extended(row({}), 0)::text collate "C", 1)').format(columns)


def chunks(
    blocks: int, rows_per_block: float, *, ranges: bool, limits: tuple[int, int] = CHUNK_BLOCKS
) -> Iterator[tuple[int, int | None]]:
    """Ranges of blocks [from, to) that cover a table of `blocks`; the last is open, None. One range if not `ranges`."""
    least, most = limits
    size = min(max(int(CHUNK_ROWS / rows_per_block), least), most)
    starts = list(range(0, blocks, size)) if ranges and blocks else [0]
    return zip(starts, [*starts[1:], None], strict=True)


def checksum(
    target: Target, table: Table, progress: Progress, *, limits: tuple[int, int] = CHUNK_BLOCKS
) -> TableDigest:
    """Digest of `table` in one snapshot (REPEATABLE READ), so that rows that move are neither missed nor doubled."""
    with session(target, table.database, doing=f"read table {table}") as connection:
        seen = owners.look(connection, [(table.schema, table.name)])[table.schema, table.name]
        with unwritten(connection, "repeatable read"):
            hold(connection, seen)
            # A range of ctid must be scanned as such: any other plan would read the whole table for every chunk.
            connection.execute("set local enable_seqscan = off; set local enable_indexscan = off")
            return _digest(connection, table, seen, progress, limits)


def _digest(
    connection: Connection, table: Table, seen: owners.Seen, progress: Progress, limits: tuple[int, int]
) -> TableDigest:
    version = connection.info.server_version
    name = sql.Identifier(table.schema, table.name)
    parameters = {"table": name.as_string(connection)}
    columns = [column.expression for column in columns_of(connection, [name])[0]]
    query = sql.SQL("select count(*), coalesce(sum({}), 0) from only {} t").format(
        row_hash(sql.SQL(", ").join(columns), version), name
    )
    size = connection.execute(_BLOCKS, parameters).fetchone() or (0, 1.0)
    blocks = int(size[0])
    rows, total = 0, 0
    for start, end in chunks(blocks, float(size[1]), ranges=version >= 140000, limits=limits):
        found = read(connection, query + _range(start, end), 2, seen)[0]
        rows, total = rows + int(found[0]), total + int(found[1])
        progress(1.0 if end is None else end / blocks, f"{table}: {rows:,} rows")
    return TableDigest(rows, f"{'text' if version < 140000 else 'record'}-1:{total}")


def _range(start: int, end: int | None) -> sql.Composable:
    if start == 0 and end is None:
        return sql.SQL("")
    lower = sql.SQL(" where t.ctid >= {}::tid").format(sql.Literal(f"({start},0)"))
    return lower if end is None else lower + sql.SQL(" and t.ctid < {}::tid").format(sql.Literal(f"({end},0)"))
