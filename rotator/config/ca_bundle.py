"""The certificate file that verifies the database servers, and its contents.

RDS's bundle is public and not part of rotator: it is in the project's folder, where it is reviewed and committed (see
docs/adr/0034-the-bundle-lies-in-the-project.md).

Source: Amazon RDS User Guide, "Using SSL/TLS to encrypt a connection to a DB instance or cluster".
"""

from __future__ import annotations

import shlex
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from rotator.config.schema import BUNDLE_URL, Env
from rotator.domain.env_files import CONFIG_FILE
from rotator.domain.errors import ConfigError

BUNDLE = Path("envs") / "rds-global-bundle.pem"
"""Relative to the project's folder: one for all envs."""
SYSTEM = "system"
"""libpq's value for the certificates that the machine trusts."""
VERIFYING = ("verify-ca", "verify-full")


@dataclass(frozen=True)
class Certificate:
    """One authority of a bundle: its common name, and its expiry (seconds since the epoch)."""

    name: str
    until: float


@dataclass(frozen=True)
class Bundle:
    """A certificate file as it is now; `changed` is its modification time (seconds since the epoch)."""

    path: Path
    changed: float
    certificates: tuple[Certificate, ...]


def trusted(env: Env) -> str | None:
    """The file for libpq's sslrootcert; None where the mode verifies nothing. Raises ConfigError."""
    if env.config.database.sslrootcert == SYSTEM and env.config.database.sslmode in VERIFYING:
        return SYSTEM
    found = bundle(env)
    return str(found.path) if found else None


def bundle(env: Env) -> Bundle | None:
    """The env's certificates. Raises ConfigError."""
    database = env.config.database
    if database.sslmode not in VERIFYING or database.sslrootcert == SYSTEM:
        return None
    path = env.path / database.sslrootcert if database.sslrootcert else env.path.parent.parent / BUNDLE
    try:
        return Bundle(path, path.stat().st_mtime, _certificates(path))
    except FileNotFoundError:
        raise _unusable(env, path, "There is no such file.") from None
    except OSError as error:  # ssl.SSLError is one
        raise _unusable(env, path, f"It cannot be read as certificates: {error.strerror or error}.") from None


def _certificates(path: Path) -> tuple[Certificate, ...]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(path)
    return tuple(_certificate(each) for each in context.get_ca_certs())


def _certificate(found: object) -> Certificate:
    assert isinstance(found, dict)
    subject = {key: value for part in found["subject"] for key, value in part}
    return Certificate(str(subject.get("commonName", "")), float(ssl.cert_time_to_seconds(str(found["notAfter"]))))


def _unusable(env: Env, path: Path, why: str) -> ConfigError:
    place = env.path / CONFIG_FILE
    return ConfigError(
        f"{path}: there are no certificates to verify the database server.",
        why=f"{why} [database] sslmode is {env.config.database.sslmode}.",
        fix=(
            f"curl -fsSo {shlex.quote(str(path))} {BUNDLE_URL} and commit it; or set [database] sslrootcert in {place}."
        ),
        code="no-ca-bundle",
    )


MONTH = 30 * 86400.0
OLD_MONTHS = 12
SOON_MONTHS = 6


def doubts(found: Bundle, authority: str | None, region: str, now: float | None = None) -> tuple[str, ...]:
    """The problems of a bundle, in words. `authority`: the instance's CACertificateIdentifier."""
    now = time.time() if now is None else now
    names = _authority_names(authority, region)
    said = []
    own = [each for each in found.certificates if each.name in names]
    if names and not own:
        said.append(f"it holds no certificate of {authority} in {region}")
    said += [
        f"{each.name} in it ends {time.strftime('%Y-%m-%d', time.gmtime(each.until))}"
        for each in own
        if each.until - now < SOON_MONTHS * MONTH
    ]
    if now - found.changed > OLD_MONTHS * MONTH:
        said.append(f"the file is older than {OLD_MONTHS} months")
    return tuple(said)


def _authority_names(authority: str | None, region: str) -> tuple[str, ...]:
    """rds-ca-rsa2048-g1 -> the names of its root in RDS's bundle; empty for an identifier of another form."""
    prefix = "rds-ca-"
    if authority is None or not authority.startswith(prefix) or "-" not in authority.removeprefix(prefix):
        return ()
    return (f"Amazon RDS {region} Root CA {authority.removeprefix(prefix).upper().replace('-', ' ')}",)
