"""The sandbox's own certificate authority, instead of RDS's: every server's certificate is signed by it.

Folder: `ca.pem` (what clients verify with; open to all, as RDS's bundle is) and `ca-key.pem` (0600). As on RDS a
certificate names the instance's endpoint, and no CNAME; besides, the loopback address that the server listens on.

Sources: Amazon RDS User Guide, "Using SSL/TLS to encrypt a connection to a DB instance or cluster"; RFC 5280.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = timedelta(days=365)
SKEW = timedelta(hours=1)
LONGEST_COMMON_NAME = 64


@dataclass(frozen=True)
class Authority:
    """One that exists on disk."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, name: str = "rotator sandbox") -> Authority:
        """A new one in `folder`, which must not exist."""
        folder.mkdir(mode=0o711, parents=True)
        folder.chmod(0o711)  # the servers' account and clients read the certificate
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        certificate = (
            _draft(subject, subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        made = cls(folder)
        _write(made._key, _text(key), 0o600)
        _write(made.certificate, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        return made

    @property
    def certificate(self) -> Path:
        """The file that clients verify with."""
        return self.folder / "ca.pem"

    @property
    def _key(self) -> Path:
        return self.folder / "ca-key.pem"

    def issue(self, names: Sequence[str]) -> tuple[str, str]:
        """A server's certificate for these host names and addresses, and its key (PEM). The first is the subject."""
        own = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        signer = serialization.load_pem_private_key(self._key.read_bytes(), None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _draft(_name(names[0]), own.subject, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([_alternative(each) for each in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .sign(signer, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM).decode(), _text(key).decode()


def _draft(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LIFE)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:LONGEST_COMMON_NAME])])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _text(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
