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
EXCLUDED_DATABASES = ("rdsadmin",)
"""Databases that RDS keeps for itself: nobody else may connect to them."""
INITIAL = ("template0", "template1")
"""Databases that initdb makes for CREATE DATABASE to copy. A connection to one is in the way of that."""
