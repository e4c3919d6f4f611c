"""Rules for single values of rotation.toml; each raises ValueError with a message for the user. Pure.

Sources: RDS "Naming constraints", KMS CreateAlias, RDS "Tagging Amazon RDS resources", RFC 1123 for host names.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from rotator.domain.naming import ALIAS_LIMIT, INSTANCE_LIMIT, base_identifier, identifier_fault

SHORTEST_SUFFIX = len("-g1")
ALIAS_STEM_LIMIT = ALIAS_LIMIT - SHORTEST_SUFFIX
TAG_LIMIT = 46
"""AWS allows 50 tags; a rotation adds three of its own, and one is left for CloudFormation and its like."""

DURATION = r"^[0-9]{1,6}[smhd]$"
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_PRINCIPAL = re.compile(r"arn:aws[a-z-]*:(?:iam|sts)::[0-9]{12}:(?:root|\S+/\S+)")
_S3_URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_.*()'-]+)+")
_TAG_TEXT = re.compile(r"[\w\s.:/=+\-@]*")
_NEVER_PASSED = frozenset({"PATH", "PGPASSWORD", "PGPASSFILE", "TF_REATTACH_PROVIDERS"})
_SECRET_SETTINGS = frozenset({"access_key", "secret_key", "token", "sse_customer_key"})


def instance_identifier(value: str) -> str:
    """An RDS instance identifier that leaves room for the next generation's name."""
    fault = identifier_fault(value)
    if fault is not None:
        raise ValueError(f"{value!r} is not an RDS instance identifier: {fault}")
    limit = INSTANCE_LIMIT - SHORTEST_SUFFIX
    if len(base_identifier(value)) > limit:
        raise ValueError(
            f"{value!r} has {len(value)} characters; green gets its name with a suffix such as -g1, and RDS allows "
            f"{INSTANCE_LIMIT}, so at most {limit} are left"
        )
    return value


def key_alias(value: str) -> str:
    """A KMS alias name that leaves room for the generation's suffix."""
    if not re.fullmatch(r"alias/(?!aws/)[a-zA-Z0-9/_-]+", value):
        raise ValueError(f"{value!r} is not a KMS alias name such as alias/orders (alias/aws/ is reserved for AWS)")
    if len(value) > ALIAS_STEM_LIMIT:
        raise ValueError(f"it has {len(value)} characters; {ALIAS_STEM_LIMIT} at most leave room for a suffix like -g1")
    return value


def domain(value: str) -> str:
    """A DNS name; gives it in lower case and without its trailing dot."""
    name = value.lower().removesuffix(".")
    if not name or len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(f"{value!r} is not a DNS name such as orders.db.example.com")
    return name


def host_port(value: str) -> str:
    """HOST:PORT, with an IPv6 address in brackets."""
    host, colon, port = value.rpartition(":")
    if not colon or not re.fullmatch(r"\d{1,5}", port, re.ASCII) or not 1 <= int(port) <= 65535 or not _is_host(host):
        raise ValueError(f"{value!r} is not HOST:PORT such as 10.0.0.2:53 or [fd00::2]:53")
    return value


def resolver(value: str) -> str:
    """HOST:PORT, or "none": the applications' resolver cannot be queried from here."""
    return value if value == "none" else host_port(value)


def _is_host(host: str) -> bool:
    if host.startswith("[") and host.endswith("]"):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return False
        return True
    return bool(host) and all(_LABEL.fullmatch(label) for label in host.lower().removesuffix(".").split("."))


def http_url(value: str) -> str:
    """An http or https URL with a host, and without a user or password in it (this file is committed)."""
    parts = _split(value)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", value):
        raise ValueError("it is not a URL such as http://127.0.0.1:4566")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds a user name or password; this file is committed, so remove them")
    return value


def _split(value: str) -> SplitResult | None:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return None
    return parts


def variable_name(value: str) -> str:
    """The name of an environment variable. The value is not repeated in the error: it may be the password itself."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError(
            "it is not the name of an environment variable such as DB_PASSWORD; never write the password here"
        )
    return value


def passed_variables(value: tuple[str, ...]) -> tuple[str, ...]:
    """Names of environment variables that Terraform may be given."""
    for name in value:
        variable_name(name)
        if name in _NEVER_PASSED or name.startswith(("TF_CLI_ARGS", "LD_", "DYLD_")):
            raise ValueError(
                f"{name} is never passed to Terraform: it is a secret of another program, or changes this tool's run"
            )
    return value


def principal(value: str) -> str:
    """An ARN of an IAM or STS principal that a key policy may name."""
    if not _PRINCIPAL.fullmatch(value):
        raise ValueError(f"{value!r} is not the ARN of a principal such as arn:aws:iam::123456789012:role/app")
    return value


def rds_callers(value: tuple[str, ...]) -> tuple[str, ...]:
    """Principals that may use the key through RDS, or "*" alone."""
    if value == ("*",):
        return value
    if "*" in value:
        raise ValueError('"*" must be the only item: it means everybody in the account who may call RDS')
    return tuple(principal(each) for each in value)


def backend_settings(value: dict[str, str | bool]) -> dict[str, str | bool]:
    """A backend's arguments, without secrets: they are rendered into a committed file."""
    secret = sorted(_SECRET_SETTINGS & value.keys())
    if secret:
        raise ValueError(
            f"{', '.join(secret)} would be written into a committed file; leave credentials to the environment or "
            "to a profile"
        )
    return value


def s3_url(value: str) -> str:
    """A bucket and a prefix in it, without a slash at its end."""
    if not _S3_URL.fullmatch(value):
        raise ValueError(f"{value!r} is not a bucket and a prefix such as s3://my-state/rotator")
    return value


def bucket_of(url: str) -> str:
    """The bucket of an s3_url."""
    return url.removeprefix("s3://").partition("/")[0]


def prefix_of(url: str) -> str:
    """The prefix of an s3_url."""
    return url.removeprefix("s3://").partition("/")[2]


def tags(value: dict[str, str]) -> dict[str, str]:
    """Tags that both RDS and KMS take, outside the prefixes of AWS and of this tool."""
    if len(value) > TAG_LIMIT:
        raise ValueError(f"{len(value)} tags; at most {TAG_LIMIT} leave room for those of AWS and of a rotation")
    for name, text in value.items():
        if name.lower().startswith(("aws:", "rotator:")):
            raise ValueError(f"tag {name!r}: names that begin with aws: or rotator: are reserved")
        if not 1 <= len(name) <= 128 or len(text) > 256:
            raise ValueError(f"tag {name!r}: a name has 1 to 128 characters, a value at most 256")
        if not _TAG_TEXT.fullmatch(name) or not _TAG_TEXT.fullmatch(text):
            raise ValueError(f"tag {name!r}: AWS allows letters, digits, spaces and _ . : / = + - @ only")
    return value


def duration_seconds(value: str) -> int:
    """The seconds of a duration such as '72h'; raises ValueError for any other text."""
    if not re.fullmatch(DURATION, value):
        raise ValueError(f"{value!r} is not a duration: a whole number and s, m, h or d, such as 90s, 15m, 72h or 3d")
    return int(value[:-1]) * _UNIT_SECONDS[value[-1]]
