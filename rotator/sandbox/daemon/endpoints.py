"""Addresses of an env's sandbox, and how to reach it. It chooses ports that rotation.toml does not pin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from rotator.config.sandbox import Listens, access_key, located
from rotator.config.schema import Env, SandboxConfig
from rotator.domain.env_files import CONFIG_FILE
from rotator.domain.errors import ConfigError

LOCAL_HOSTS = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Endpoints:
    """Addresses of one sandbox; a port of 0 is still to be chosen."""

    host: str
    port: int
    dns_host: str
    dns_port: int
    region: str
    sandbox: SandboxConfig

    @property
    def url(self) -> str:
        """The local AWS's URL."""
        return f"http://{self.host}:{self.port}"

    @property
    def dns(self) -> str:
        """HOST:PORT of the DNS server."""
        return f"{self.dns_host}:{self.dns_port}"

    @property
    def listens(self) -> Listens:
        """The addresses for other processes."""
        return Listens(self.url, self.dns)

    def chosen(self, port: int, dns_port: int) -> Endpoints:
        """With the ports that were really bound."""
        return replace(self, port=port, dns_port=dns_port)


def endpoints(env: Env) -> Endpoints:
    """The addresses to listen on. Raises ConfigError if rotation.toml names another machine."""
    config = env.config
    if config.sandbox is None:
        raise ConfigError(
            f"env {env.name} has no sandbox",
            why=f"{env.path / CONFIG_FILE} has no table [sandbox]",
            fix="use an env that has one (rotator sandbox up local), or add an empty [sandbox] table",
        )
    url = urlsplit(config.aws.endpoint_url or f"http://{LOCAL_HOSTS[0]}:0")
    if url.scheme != "http" or url.hostname not in LOCAL_HOSTS or url.port is None:
        raise _elsewhere(env, "aws.endpoint_url", "http://127.0.0.1:5566")
    dns_host, _, dns_port = (config.dns.resolver or f"{LOCAL_HOSTS[0]}:0").rpartition(":")
    if dns_host not in LOCAL_HOSTS:
        raise _elsewhere(env, "dns.resolver", "127.0.0.1:5553")
    return Endpoints(
        host=url.hostname,
        port=url.port,
        dns_host=dns_host,
        dns_port=int(dns_port),
        region=config.aws.region,
        sandbox=config.sandbox,
    )


def exports(env: Env) -> Mapping[str, str]:
    """Environment variables that give any AWS client, Terraform too, address and access key of the env's sandbox.

    Raises SandboxNotRunning.
    """
    found, key = located(env).config.aws, access_key(env)
    return {
        "AWS_ENDPOINT_URL": found.endpoint_url or "",
        "AWS_ACCESS_KEY_ID": key.key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_REGION": found.region,
        "AWS_DEFAULT_REGION": found.region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _elsewhere(env: Env, key: str, example: str) -> ConfigError:
    return ConfigError(
        f"{env.path / CONFIG_FILE}: {key} is not an address of this machine",
        why="the sandbox listens on this machine",
        fix=f'remove {key}: a free port is then chosen; or pin one, such as {key} = "{example}"',
    )
