"""What every session of the tool pins, whatever a database or a role has as defaults (ALTER DATABASE | ROLE ... SET).

The tool's SQL must mean the same everywhere, both sides must render values alike, nothing may cut a long pass short,
and the DDL of the tool must not fire the event triggers of others.
"""

from __future__ import annotations

from rotator.database.postgres.names import HAS_RDS_SUPERUSER

FIRST = (
    "set statement_timeout = 0",
    "set role none; set search_path = pg_catalog, pg_temp; set standard_conforming_strings = on",
)
"""Before anything that calls a function, or an operator, or has a backslash in it: SET looks nothing up. A role's own
time limit would count for a whole batch, so it goes by itself."""

_ALWAYS = {
    "array_nulls": "on",
    "backslash_quote": "safe_encoding",
    "bytea_output": "hex",
    "check_function_bodies": "on",
    "client_min_messages": "notice",
    "constraint_exclusion": "off",
    "createrole_self_grant": "",
    "datestyle": "ISO, YMD",
    "default_table_access_method": "heap",
    "default_tablespace": "",
    "default_transaction_deferrable": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "escape_string_warning": "off",
    "exit_on_error": "off",
    "extra_float_digits": "1",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "intervalstyle": "postgres",
    "jit": "off",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "lock_timeout": "0",
    "password_encryption": "scram-sha-256",
    "quote_all_identifiers": "off",
    "restrict_nonsystem_relation_kind": "view, foreign-table",
    "row_security": "off",
    "scram_iterations": "4096",
    "synchronous_commit": "on",
    "temp_tablespaces": "",
    "timezone": "UTC",
    "timezone_abbreviations": "Default",
    "transaction_timeout": "0",
    "transform_null_equals": "off",
    "xmlbinary": "base64",
    "xmloption": "content",
}
"""`row_security = off` makes a policy an error instead of a silent filter (PostgreSQL, "Row Security Policies").

`restrict_nonsystem_relation_kind`: a table that its owner replaces by a view, between being listed and being read,
would run his functions as us (PostgreSQL's releases since August 2024). `constraint_exclusion`: the planner would
work out constant parts of CHECK constraints.

`scram_iterations`: a database that sets 1 would have the password of the rotation's login guessed from its hash.
"""

PINNED = (
    "select pg_catalog.set_config(p.name, p.value, false)"
    "  from unnest(%s::text[], %s::text[]) p (name, value)"
    "  join pg_catalog.pg_settings s on pg_catalog.lower(s.name) = p.name"
    " union all "
    # Plans that a database forbids: comparing by ranges would read whole tables again and again without an index.
    "select pg_catalog.set_config(s.name, s.boot_val, false) from pg_catalog.pg_settings s"
    " where pg_catalog.starts_with(s.name, 'enable_') and s.context = 'user' and s.setting <> s.boot_val"
)
"""With `pinned()` as its values; what a major lacks is left out."""


def pinned() -> list[list[str]]:
    """Names and values for PINNED."""
    return [list(_ALWAYS), list(_ALWAYS.values())]


MAY_BE_REPLICA = f"""
select 1 from pg_roles u where u.rolname = current_user and (u.rolsuper or {HAS_RDS_SUPERUSER}
   and 'session_replication_role' = any (string_to_array(current_setting('rds.superuser_variables', true), ',')))
"""  # noqa: S608
"""Whether we may set session_replication_role: as superuser, or where RDS lets rds_superuser."""
MAY_BE_REPLICA_15 = (
    f"{MAY_BE_REPLICA} union all select 1 where has_parameter_privilege('session_replication_role', 'SET')"
)
"""The same, also by GRANT SET ON PARAMETER, from version 15 on."""
REPLICA = "set session_replication_role = replica"
"""Event triggers of others do not fire for our DDL then, unless they say REPLICA or ALWAYS. The fence fires ALWAYS."""
IS_REPLICA = "select 1 where current_setting('session_replication_role') = 'replica'"

AS_A_CLIENT = "reset default_transaction_read_only"
"""Back to what database and role give their clients: a write of ours must not go through where theirs are refused."""
