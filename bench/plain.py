"""A client's connection for the benches: with the settings that the database gives it, as an application has it."""

from __future__ import annotations

from typing import Any

import psycopg

from rotator.database.interface import Target


def open_plain(target: Target, database: str | None = None) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect as any client would; autocommit. Raises psycopg.Error."""
    return psycopg.connect(
        host=target.host,
        hostaddr=target.address,
        port=target.port,
        user=target.user,
        password=target.password,
        dbname=database if database is not None else target.database,
        sslmode=target.sslmode,
        sslrootcert=target.sslrootcert,
        application_name="rotator",
        client_encoding="UTF8",
        prepare_threshold=None,
        autocommit=True,
    )
