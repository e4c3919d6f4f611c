"""Preflight of strategy replicate: what the apply workers on green would inherit from the database and the user.

A worker is a session of the subscription's owner, which is the tool's user: it obeys ALTER DATABASE and ALTER ROLE ...
SET as any session does, but for search_path and session_replication_role (PostgreSQL, "Logical Replication", Security).
"""

from __future__ import annotations

from collections.abc import Iterator

from rotator.database.postgres.catalog.objects import USER_SCHEMA
from rotator.database.postgres.connection import Connection
from rotator.database.postgres.preflight.common import listed, rows
from rotator.domain.database import Finding

_HAS = f"""select 1 from pg_attribute a join pg_class c on c.oid = a.attrelid
  join pg_namespace n on n.oid = c.relnamespace
  join pg_type t on t.oid = a.atttypid
 where {USER_SCHEMA} and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped and """  # noqa: S608
_INHERITED = """
select name, reset_val from pg_settings
 where name in ('array_nulls', 'xmloption', 'lock_timeout', 'transaction_timeout')
"""
"""What a session of this user begins with, whatever ours has been set to since (PostgreSQL, pg_settings.reset_val)."""
_ROLE = """
select substr(c, 6) from pg_db_role_setting s cross join unnest(s.setconfig) c
 where starts_with(c, 'role=')
   and s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
   and s.setrole in (0, (select oid from pg_roles where rolname = current_user))
   and exists (select from pg_roles r where r.rolname = substr(c, 6) and pg_has_role(r.oid, 'MEMBER'))
 order by s.setrole <> 0 and s.setdatabase <> 0 desc, s.setrole <> 0 desc, s.setdatabase <> 0 desc limit 1
"""
"""The role that it begins as, which pg_settings does not show. The most specific wins (PostgreSQL, "ALTER ROLE")."""


def settings_findings(database: str, connection: Connection) -> Iterator[Finding]:
    """What database and user give the sessions of the tool's user, over one of them."""
    found = {str(name): str(value) for name, value in connection.execute(_INHERITED).fetchall()}
    role = connection.execute(_ROLE).fetchone()
    found["role"] = str(role[0]) if role else "none"
    wrong = []
    if found.get("array_nulls") == "off" and rows(connection, f"{_HAS} t.typcategory = 'A' limit 1"):
        wrong.append("array_nulls = off")
    if found.get("xmloption") == "document" and rows(connection, f"{_HAS} t.typname = 'xml' limit 1"):
        wrong.append("xmloption = document")
    if found["role"] != "none":
        wrong.append(f"role = {found['role']}")
    if wrong:
        yield Finding(
            "apply-settings",
            f"database {database}: sessions of the tool's user begin with {listed(wrong)}",
            "the workers that apply changes on green obey it: they would read values differently, or have other rights",
            "ALTER DATABASE ... RESET ...; or ALTER ROLE ... RESET ...; or take strategy snapshot",
            blocks=True,
        )
    limits = [name for name in ("lock_timeout", "transaction_timeout") if found.get(name, "0") != "0"]
    if limits:
        yield Finding(
            "apply-limits",
            f"database {database}: sessions of the tool's user begin with {listed(limits)}",
            "the workers that apply changes on green obey it: one that waits, or applies a long transaction, is ended",
            "ALTER ROLE ... IN DATABASE ... SET ... = 0; for the tool's user alone",
            blocks=False,
        )
