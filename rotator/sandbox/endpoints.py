"""Where the sandbox of an env listens, as its rotation.toml says; and how a shell or a client gets there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from rotator.config import Env, SandboxConfig
from rotator.errors import ConfigError

LOCAL_HOSTS = ("127.0.0.1", "localhost")
ACCESS_KEY = "sandbox"
SECRET_KEY = "sandbox"  # noqa: S105  the local AWS asks for some, and looks at none


@dataclass(frozen=True)
class Endpoints:
    """Addresses of one sandbox."""

    url: str
    host: str
    port: int
    dns_host: str
    dns_port: int
    region: str
    sandbox: SandboxConfig

    @property
    def dns(self) -> str:
        """HOST:PORT of the DNS server."""
        return f"{self.dns_host}:{self.dns_port}"


def endpoints(env: Env) -> Endpoints:
    """Read them. Raises ConfigError when rotation.toml does not say all of it, or names another machine."""
    config = env.config
    if config.sandbox is None:
        raise ConfigError(
            f"env {env.name} has no sandbox",
            why=f"{env.path / 'rotation.toml'} has no table [sandbox]",
            fix="use an env that has one (rotator sandbox up local), or add an empty [sandbox] table",
        )
    url = urlsplit(config.aws.endpoint_url or "")
    if url.scheme != "http" or url.hostname not in LOCAL_HOSTS or url.port is None:
        raise _missing(env, "aws.endpoint_url", "http://127.0.0.1:5566")
    dns_host, _, dns_port = (config.dns.resolver or "").rpartition(":")
    if dns_host not in LOCAL_HOSTS:
        raise _missing(env, "dns.resolver", "127.0.0.1:5553")
    return Endpoints(
        url=f"http://{url.hostname}:{url.port}",
        host=url.hostname,
        port=url.port,
        dns_host=dns_host,
        dns_port=int(dns_port),
        region=config.aws.region,
        sandbox=config.sandbox,
    )


def exports(env: Env) -> Mapping[str, str]:
    """Environment variables that point any AWS client, Terraform among them, at the env's sandbox."""
    found = endpoints(env)
    return {
        "AWS_ENDPOINT_URL": found.url,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": found.region,
        "AWS_DEFAULT_REGION": found.region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _missing(env: Env, key: str, example: str) -> ConfigError:
    return ConfigError(
        f"{env.path / 'rotation.toml'}: {key} does not say where the sandbox listens",
        why="the sandbox listens on this machine, at an address and port that the env names",
        fix=f'set {key} = "{example}" (any free port)',
    )
