"""A server's certificate, its settings for TLS, and how its clients verify it.

The files lie beside the data, not in it: a snapshot does not hold them, and a restored server gets its own, as on RDS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rotator.host.files import OWNER_FILE, write_whole
from rotator.sandbox.postgres.account import Account
from rotator.sandbox.postgres.authority import Authority

FORCED = "rds.force_ssl"
"""RDS's parameter that refuses sessions without TLS; its default is 1 from PostgreSQL 15 on (Amazon RDS User Guide,
"Requiring an SSL connection to a PostgreSQL DB instance")."""
FORCED_SINCE = 15


def place_certificate(folder: Path, authority: Authority, names: Sequence[str], account: Account | None) -> None:
    """Give the server in `folder` a certificate for `names`, in the place of an older one."""
    certificate, key = authority.issue(names)
    write_whole(
        _certificate(folder),
        certificate,
        mode=OWNER_FILE,
        owner=account.ids if account else None,
    )
    write_whole(_key(folder), key, mode=OWNER_FILE, owner=account.ids if account else None)


def tls_settings(folder: Path, authority: Authority | None) -> Mapping[str, str]:
    """PostgreSQL's settings. `ssl_ca_file` is where a subscription finds what to verify the other side with."""
    if authority is None:
        return {}
    return {
        "ssl": "on",
        "ssl_cert_file": str(_certificate(folder)),
        "ssl_key_file": str(_key(folder)),
        "ssl_ca_file": str(authority.certificate),
    }


def is_forced(parameters: Mapping[str, str], major: int) -> bool:
    """Whether sessions without TLS are refused."""
    return parameters.get(FORCED, "1" if major >= FORCED_SINCE else "0").lower() in ("1", "on", "true")


def client_tls(authority: Authority | None) -> Mapping[str, str]:
    """What libpq is told by clients of a server of this authority; without one the server speaks no TLS."""
    if authority is None:
        return {"sslmode": "disable"}
    return {"sslmode": "verify-full", "sslrootcert": str(authority.certificate)}


def _certificate(folder: Path) -> Path:
    return folder / "server.pem"


def _key(folder: Path) -> Path:
    return folder / "server-key.pem"
