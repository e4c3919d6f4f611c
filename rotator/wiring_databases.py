"""How an env's database servers are logged in to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rotator.aws.managed import ManagedLogins, is_managed
from rotator.aws.session import Aws
from rotator.config.ca_bundle import bundle, doubts, trusted
from rotator.config.schema import Env
from rotator.database.channel import Channel
from rotator.database.engines import ENGINES, serving
from rotator.database.interface import DatabaseOpener, DatabaseServer
from rotator.database.opener import Login, Opener, OwnLogin
from rotator.domain.aws import Deployment
from rotator.domain.env_files import CONFIG_FILE
from rotator.domain.errors import ConfigError
from rotator.domain.naming import base_identifier
from rotator.network.resolver import ClientResolver


@dataclass
class LazyDatabases:
    """Logs in when first asked: preflight must be able to say what is wrong with AWS before a secret is fetched."""

    login: Callable[[], Login]
    resolver: ClientResolver
    env: Env
    pinned: bool = False
    own_login: OwnLogin | None = None
    _opener: Opener | None = None

    def at(self, host: str, port: int, *, address: str | None = None) -> DatabaseServer:
        """Server at `host`."""
        return self._logged_in().at(host, port, address=address)

    def speaks(self, engine: str) -> bool:
        """Whether there is an engine for it."""
        return serving(engine) is not None

    def doubts(self, authority: str | None) -> tuple[str, ...]:
        """What is doubtful in the env's certificates."""
        found = bundle(self.env)
        return doubts(found, authority, self.env.config.aws.region) if found else ()

    def through(self, name: str, host: str, port: int) -> DatabaseServer:
        """Server at the address to which `name` leads, verified as `host`."""
        return self._logged_in().through(name, host, port)

    def channel(
        self, rotation_id: str, source: tuple[str, int], target: tuple[str, int], *, back: bool = False
    ) -> Channel:
        """One direction of a rotation's replication."""
        return self._logged_in().channel(rotation_id, source, target, back=back)

    def _logged_in(self) -> Opener:
        if self._opener is None:
            self._opener = Opener(self.login(), self.resolver, self.pinned, self.own_login)
        return self._opener


def databases_of(env: Env, aws: Aws, resolver: ClientResolver, environ: Mapping[str, str]) -> DatabaseOpener:
    """Servers of the env, logged in to when one is first asked for."""
    config = env.config.database

    managed = is_managed(config.credentials.secret_id)

    def login() -> Login:
        # A managed secret goes with its instance: each server's own is read when it is connected to.
        named = None if managed else config.credentials.secret_id
        secret = aws.secrets.json_secret(named) if named else {}
        blue = aws.rds.instance(config.identifier) or _generation_of(aws, config.identifier)
        user = config.username or secret.get("username") or (blue.master_username if blue else None)
        password = secret.get("password") or _password(env, environ)
        engine = serving(blue.engine) if blue else None
        name = config.name or (blue.database_name if blue else None) or (engine or ENGINES[0]).database
        if user is None:
            raise ConfigError(
                "No user name to connect with.",
                why="Neither rotation.toml nor the secret gives one.",
                fix=f"Set [database] username in {env.path / CONFIG_FILE}.",
            )
        return Login(
            user, name, password, config.sslmode, trusted(env), config.link_sslmode, blue.engine if blue else None
        )

    # The sandbox's servers know no DNS but the machine's own, which does not have their names.
    pinned = env.config.sandbox is not None
    own = _own_login(env, ManagedLogins(aws.rds, aws.secrets)) if managed else None
    return LazyDatabases(login, resolver, env, pinned, own)


def _generation_of(aws: Aws, identifier: str) -> Deployment | None:
    """Any instance of the same database: once the adopted blue is retired, another generation has its place."""
    base = base_identifier(identifier)
    return next((each for each in aws.rds.instances() if base_identifier(each.identifier) == base), None)


def _own_login(env: Env, logins: ManagedLogins) -> OwnLogin:
    user = env.config.database.username

    def own(host: str) -> tuple[str, str | None] | None:
        found = logins.of(host)
        return (user or found["username"], found["password"]) if found else None

    return own


def refuse_without_password(env: Env, environ: Mapping[str, str], *, asked: bool) -> None:
    """A password that is not there is said at once, and not when the first connection is made."""
    config = env.config.database
    if asked and config.access == "direct" and config.credentials.secret_id is None:
        _password(env, environ)


def _password(env: Env, environ: Mapping[str, str]) -> str | None:
    variable = env.config.database.credentials.password_env
    if variable is None:
        return None
    value = environ.get(variable)
    if not value:
        raise ConfigError(
            f"The environment variable {variable} is not set.",
            why="[database.credentials] password_env names it.",
            fix=f"export {variable}=... for the user that connects.",
        )
    return value
