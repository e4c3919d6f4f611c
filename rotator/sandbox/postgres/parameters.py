"""Which parameters a server of the sandbox takes from a parameter group: none that runs, loads or writes anything.

RDS's own lists of modifiable parameters leave those out as well. Here it is a rule over what the server says of itself
(`postgres --describe-config`): numbers, switches and choices are taken, texts only by name.
Source: PostgreSQL manual, "Server Configuration"; RDS User Guide, "Parameters for RDS for PostgreSQL".
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from rotator.sandbox.postgres.binaries import Binaries

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
TEXTS = frozenset(
    {
        "client_encoding",
        "DateStyle",
        "default_table_access_method",
        "default_tablespace",
        "default_text_search_config",
        "lc_messages",
        "lc_monetary",
        "lc_numeric",
        "lc_time",
        "search_path",
        "synchronized_standby_slots",
        "temp_tablespaces",
        "TimeZone",
    }
)
"""Texts that name nothing outside of the database."""
LIBRARIES = frozenset({"auto_explain", "pg_stat_statements"})
"""What `shared_preload_libraries` may list: PostgreSQL's own, by names that lead to no path."""
CLOSED = frozenset({"allow_in_place_tablespaces", "log_file_mode", "logging_collector", "unix_socket_permissions"})
"""Numbers and switches that change files."""
CLOSED_GROUPS = ("Developer Options", "File Locations", "Preset Options")


@dataclass(frozen=True)
class Parameters:
    """What one PostgreSQL knows: name -> (group, type), the type one of BOOLEAN, INTEGER, REAL, ENUM, STRING."""

    known: Mapping[str, tuple[str, str]]

    def refusal(self, name: str, value: str) -> str | None:
        """Why a parameter group may not hold this; None when it may (also what RDS alone knows)."""
        if not NAME.fullmatch(name):
            return "this is no name of a parameter"
        if any(not character.isprintable() for character in value):
            return "the value holds control characters"
        if name == "shared_preload_libraries":
            unknown = {each.strip() for each in value.split(",") if each.strip()} - LIBRARIES
            return f"the local AWS loads only {', '.join(sorted(LIBRARIES))}" if unknown else None
        if name in self.known and not self._harmless(name):
            return (
                "the local AWS takes no parameter that runs a program, loads a library, or names a file or an address"
            )
        return None

    def readable(self, name: str) -> bool:
        """Whether a server reads it: its own parameters, and RDS's as placeholders."""
        return name in self.known or name.startswith("rds.")

    def _harmless(self, name: str) -> bool:
        group, kind = self.known[name]
        if name in CLOSED or group.startswith(CLOSED_GROUPS):
            return False
        return kind != "STRING" or name in TEXTS


def known_by(programs: Binaries) -> Parameters:
    """What the server program says of itself."""
    done = subprocess.run([programs.tool("postgres"), "--describe-config"], capture_output=True, text=True, check=True)
    rows = (line.split("\t") for line in done.stdout.splitlines())
    return Parameters({row[0]: (row[2], row[3]) for row in rows if len(row) > 3})
