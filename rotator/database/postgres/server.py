"""A PostgreSQL server as the steps see it (rotator.database.interface.DatabaseServer): composition alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rotator.database.interface import Target
from rotator.database.postgres import activity, encryption, marker, static_settings
from rotator.database.postgres.catalog import schema as catalog
from rotator.database.postgres.catalog import sequences
from rotator.database.postgres.catalog.objects import each_database, stored_tables
from rotator.database.postgres.compare import checksum
from rotator.database.postgres.connection import session
from rotator.database.postgres.fence.fence import fence
from rotator.database.postgres.fence.unfence import BUSY_MILLISECONDS, unfence
from rotator.database.postgres.preflight import findings as preflight
from rotator.database.postgres.preflight.replicate import replicate_findings
from rotator.database.postgres.reading import ownership
from rotator.database.postgres.state import fence_state
from rotator.database.protection import Encryption
from rotator.database.replication import Budgets
from rotator.domain.database import CounterState, EndedClients, FenceState, Finding, Table, TableDigest, WriteStats
from rotator.domain.progress import Progress


@dataclass(frozen=True)
class PostgresServer:
    """All application databases of the server at `target`, whose `database` is where the marker and the probe are."""

    target: Target

    def ping(self) -> str:
        with session(self.target, doing="ask for the version") as connection:
            row = connection.execute("show server_version").fetchone()
        return str(row[0]).split()[0] if row else ""

    def encryption(self) -> Encryption:
        return encryption.encryption(self.target)

    def preflight(self) -> tuple[Finding, ...]:
        return preflight.findings(self.target)

    def preflight_replicate(
        self, rotation_id: str, *, strengthen: bool, headroom: int = Budgets.headroom
    ) -> tuple[Finding, ...]:
        return replicate_findings(self.target, strengthen=strengthen, rotation_id=rotation_id, headroom=headroom)

    def schema(self) -> Mapping[str, str]:
        return catalog.schema(self.target)

    def tables(self) -> tuple[Table, ...]:
        return tuple(table for part in each_database(self.target, "list the tables", stored_tables) for table in part)

    def checksum(self, table: Table, progress: Progress) -> TableDigest:
        return checksum.checksum(self.target, table, progress)

    def counters(self) -> Mapping[str, CounterState]:
        return sequences.sequences(self.target)

    def raise_counters(self, positions: Mapping[str, CounterState]) -> tuple[str, ...]:
        """Move sequences that are behind `positions` up to them, never back; which ones."""
        return sequences.advance(self.target, positions)

    def static_settings(self) -> Mapping[str, tuple[str, bool]]:
        return static_settings.static_settings(self.target)

    def extensions(self) -> Mapping[str, str]:
        return sequences.extensions(self.target)

    def fence(self, rotation_id: str, budget_seconds: float) -> FenceState:
        return fence(self.target, rotation_id, budget_seconds)

    def fence_state(self) -> FenceState:
        return fence_state(self.target)

    def unfence(self, *, busy: bool = False) -> None:
        if busy:
            unfence(self.target, table_milliseconds=BUSY_MILLISECONDS)
        else:
            unfence(self.target)

    def mark(self, role: str) -> None:
        marker.mark(self.target, role)

    def probe(self, token: str) -> tuple[str | None, bool]:
        return marker.probe(self.target, token)

    def has_probe(self, token: str) -> bool:
        return marker.has_probe(self.target, token)

    def end_clients(self) -> EndedClients:
        return activity.end_clients(self.target)

    def write_stats(self) -> WriteStats:
        return activity.write_stats(self.target)

    def forget(self, *, waits: int = 1) -> None:
        """Lift the fence and remove the schema `rotator`, as the fence's function is in it."""
        unfence(self.target, table_milliseconds=BUSY_MILLISECONDS * waits)
        each_database(self.target, "remove the schema rotator", lambda _, connection: ownership.drop_schema(connection))
