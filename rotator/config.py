"""envs/<env>/rotation.toml -> frozen models. Errors name the file, the key and the fix."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """Base of all tables of rotation.toml: frozen, unknown keys refused, no silent type conversion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class AwsConfig(Section):
    """[aws]: where. `endpoint_url` is for a local AWS; else AWS_ENDPOINT_URL and the SDK's own rules hold."""

    region: str
    endpoint_url: str | None = None
    profile: str | None = None
    account: str | None = Field(default=None, pattern=r"^\d{12}$")


class Credentials(Section):
    """[database.credentials]: one of a Secrets Manager secret (JSON with username, password) or an env variable.

    With neither, libpq's own sources hold (PGPASSWORD, PGPASSFILE).
    """

    secret_id: str | None = None
    password_env: str | None = None


class DatabaseConfig(Section):
    """[database]: blue at adoption and how to reach it. `access = "none"`: SQL steps are skipped, the fence is yours."""

    identifier: str
    access: Literal["direct", "none"] = "direct"
    name: str | None = None
    username: str | None = None
    credentials: Credentials = Credentials()
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    sslrootcert: str | None = None


class DnsConfig(Section):
    """[dns]: the CNAME that applications use. TTLs in seconds; `resolver` is HOST:PORT, else the system's."""

    zone: str
    record: str
    zone_id: str | None = None
    private_zone: bool = False
    rotation_ttl: int = Field(default=5, ge=1, le=300)
    resolver: str | None = None


class KeyConfig(Section):
    """[key]: the new customer managed key. Periods in days. `adopt = false` leaves the old key outside this root."""

    alias: str = Field(pattern=r"^alias/(?!aws/)[a-zA-Z0-9/_-]+$")
    administrators: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    rotation_period_in_days: int = Field(default=365, ge=90, le=2560)
    deletion_window_in_days: int = Field(default=30, ge=7, le=30)
    multi_region: bool = False
    adopt: bool = True


class RotationConfig(Section):
    """[rotation]: how. `soak` is the grace time before retire, such as "72h"; budgets in seconds."""

    strategy: Literal["snapshot"] = "snapshot"
    soak: Annotated[str, Field(pattern=r"^\d+(s|m|h|d)$")] = "72h"
    fence_budget: float = Field(default=30.0, gt=0)
    on_failure: Literal["lift-fence", "keep-fence"] = "lift-fence"
    poll_seconds: float = Field(default=15.0, gt=0)


class RetireConfig(Section):
    """[retire]: what survives. Snapshots under the old key that no `delete_snapshots` glob matches keep the key alive."""

    delete_snapshots: tuple[str, ...] = ()
    keep_automated_backups: bool = True


class BackendConfig(Section):
    """[terraform.backend]: rendered into the root. `settings` are the backend's own arguments (strings or booleans)."""

    type: Literal["local", "s3"] = "local"
    settings: dict[str, str | bool] = Field(default_factory=dict)


class TerraformConfig(Section):
    """[terraform]: binary and backend."""

    binary: str | None = None
    backend: BackendConfig = BackendConfig()


class CanaryConfig(Section):
    """[canary]: a URL whose GET answers a write canary's report as JSON, shown in the closing summary."""

    report_url: str | None = None


class SandboxConfig(Section):
    """[sandbox]: only for envs whose AWS is the local sandbox. Durations in seconds, size in MB."""

    seed_mb: int = Field(default=200, ge=1)
    writers: int = Field(default=4, ge=0)
    writes_per_second: float = Field(default=50.0, gt=0)
    create_seconds: float = Field(default=3.0, ge=0)
    snapshot_seconds: float = Field(default=3.0, ge=0)
    copy_seconds: float = Field(default=5.0, ge=0)
    restore_seconds: float = Field(default=5.0, ge=0)


class EnvConfig(Section):
    """A whole rotation.toml."""

    aws: AwsConfig
    database: DatabaseConfig
    dns: DnsConfig
    key: KeyConfig
    rotation: RotationConfig = RotationConfig()
    retire: RetireConfig = RetireConfig()
    terraform: TerraformConfig = TerraformConfig()
    canary: CanaryConfig = CanaryConfig()
    sandbox: SandboxConfig | None = None
    tags: dict[str, str] = Field(default_factory=dict)


class Env(Section):
    """A loaded env: its name, its folder, its config."""

    name: str
    path: Path
    config: EnvConfig
