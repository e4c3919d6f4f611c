"""What the tool makes in a database, by name, and how to tell that it is the tool's own."""

from __future__ import annotations

SCHEMA = "rotator"
SCHEMA_COMMENT = "Made by the tool rotator for a key rotation; its command `retire` removes it."
FENCE = "rotator_fence"
"""The fence's trigger on every table."""
DDL_FENCES = {"ddl_command_end": "rotator_fence_ddl", "sql_drop": "rotator_fence_drop"}
"""Event -> the fence's event trigger."""
EVENT_TRIGGERS = tuple(DDL_FENCES.values())
GUARDS = {"ddl_command_end": "rotator_guard", "sql_drop": "rotator_guard_drop"}
"""Event -> the event trigger that records DDL while a rotation replicates."""
SERVICE_DATABASE = """(d.datname = 'rdsadmin'
   and d.datdba in (select a.oid from pg_roles a where a.rolname = 'rdsadmin' and a.rolsuper))"""
"""SQL condition: database `d` is the one that RDS keeps for itself, where nobody else may connect.

One of that name that belongs to somebody else is a database as any other."""
INITIAL = ("template0", "template1")
"""Databases that initdb makes for CREATE DATABASE to copy. A connection to one is in the way of that."""
RDS_SUPERUSER = """({role}.rolname = 'rds_superuser'
   and exists (select from pg_roles a where a.rolname = 'rdsadmin' and a.rolsuper))"""
"""SQL condition, to be formatted: `role` of pg_roles is what RDS gives instead of superuser.

One of that name counts only beside RDS's own superuser: elsewhere whoever may make roles could make it, and grant it to
us."""
HAS_RDS_SUPERUSER = f"""exists (
   select from pg_roles r where {RDS_SUPERUSER.format(role="r")} and pg_has_role(r.oid, 'USAGE'))"""
"""SQL condition: the session's user has it."""
OWN_SUBSCRIPTION = """(starts_with(s.subname::text, 'rotator_')
   and s.subowner = (select u.oid from pg_roles u where u.rolname = current_user))"""
"""SQL condition: subscription `s` is the tool's own. Its name proves nothing: others may give it to theirs."""
