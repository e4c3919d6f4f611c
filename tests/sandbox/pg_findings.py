"""What the tests of the preflight for strategy replicate share."""

from collections.abc import Iterator

import pytest
from pg_fixture import PgServer

from rotator.database.postgres.preflight.replicate import replicate_findings
from rotator.domain.database import Finding

KEYED = "create table keyed (id bigint primary key, v text)"


def findings(
    pg: PgServer,
    name: str = "postgres",
    *,
    full: bool = False,
    rotation: str | None = None,
    user: str = "postgres",
    open_seconds: int = 10,
) -> dict[str, Finding]:
    found = replicate_findings(
        pg.target(name, user=user), strengthen=full, rotation_id=rotation, open_seconds=open_seconds
    )
    assert all(finding.what and finding.why and finding.fix for finding in found)
    return {finding.code: finding for finding in found}


def since(pg: PgServer, version: int) -> None:
    if int(pg.rows("postgres", "show server_version_num")[0][0]) < version:
        pytest.skip(f"needs PostgreSQL {version // 10000}")


@pytest.fixture
def login(pg: PgServer) -> Iterator[str]:
    """A login that has been granted nothing."""
    pg.run("postgres", f"create role plain login password '{pg.password}'")
    yield "plain"
    pg.run("postgres", "drop owned by plain cascade", "drop role plain")
