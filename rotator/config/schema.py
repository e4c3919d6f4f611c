"""envs/<env>/rotation.toml as frozen models. Reading files, and errors that name file, key and fix: load.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, model_validator

from rotator.config import rules

Text = Annotated[str, Field(min_length=1)]
Strings = Annotated[tuple[Text, ...], Strict(False)]
"""TOML has lists only; lax for the outer sequence alone, its members stay strict."""

Domain = Annotated[str, AfterValidator(rules.domain)]
Domains = Annotated[tuple[Domain, ...], Strict(False)]
Principals = Annotated[tuple[Annotated[str, AfterValidator(rules.principal)], ...], Strict(False)]


BUNDLE_URL = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
"""Where RDS's certificates are (Amazon RDS User Guide, "Using SSL/TLS to encrypt a connection to a DB instance")."""


class Section(BaseModel):
    """Base of all tables of rotation.toml: frozen, unknown keys refused, no silent type conversion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class AwsConfig(Section):
    """[aws]: Region and account. `endpoint_url` is for a local AWS; else AWS_ENDPOINT_URL and the SDK's rules apply."""

    region: str = Field(pattern=r"^[a-z]{2,3}(-[a-z]+)+-[0-9]+$", examples=["eu-west-1"])
    endpoint_url: Annotated[str, AfterValidator(rules.http_url)] | None = None
    profile: Text | None = None
    account: str | None = Field(default=None, pattern=r"^[0-9]{12}$", examples=["123456789012"])


class Credentials(Section):
    """[database.credentials]: one of a Secrets Manager secret (JSON with username, password) or an env variable.

    With neither, libpq's own sources apply (PGPASSWORD, PGPASSFILE).
    """

    secret_id: Text | None = None
    password_env: Annotated[str, AfterValidator(rules.variable_name)] | None = Field(
        default=None, examples=["DB_PASSWORD"]
    )

    @model_validator(mode="after")
    def _one_source(self) -> Credentials:
        if self.secret_id is not None and self.password_env is not None:
            raise ValueError("secret_id and password_env are both given; keep one: a password has one source")
        return self


class DatabaseConfig(Section):
    """[database]: blue at adoption, how to reach it. `access = "none"`: SQL steps are skipped, the fence is yours.

    `sslrootcert`: certificate file, relative to the env's folder; default: see config.ca_bundle.
    `link_sslmode`: sslmode between blue's and green's servers; default: as `sslmode`, at least `require`.
    """

    identifier: Annotated[str, AfterValidator(rules.instance_identifier)] = Field(examples=["orders-db"])
    access: Literal["direct", "none"] = "direct"
    name: Text | None = None
    username: Text | None = None
    credentials: Credentials = Credentials()
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = "verify-full"
    sslrootcert: Text | None = None
    link_sslmode: Literal["require", "verify-ca", "verify-full"] | None = None


class DnsConfig(Section):
    """[dns]: the CNAME that applications use. TTLs in seconds; `resolver` is HOST:PORT, else the system's.

    "none": it cannot be queried from here. `also`: further names that point at blue, in any zone, and flip with the
    record; `leave`: those that stay. Names are kept in lower case and without a trailing dot.
    """

    zone: Domain = Field(examples=["example.com"])
    record: Domain = Field(examples=["orders.db.example.com"])
    zone_id: str | None = Field(default=None, pattern=r"^[A-Z0-9]{1,32}$", examples=["Z0123456789ABCDEFGHIJ"])
    private_zone: bool = False
    rotation_ttl: int = Field(default=5, ge=1, le=300)
    resolver: Annotated[str, AfterValidator(rules.resolver)] | None = Field(default=None, examples=["10.0.0.2:53"])
    also: Domains = Field(default=(), examples=[["legacy.db.example.com"]])
    leave: Domains = Field(default=(), examples=[["reports.db.example.com"]])

    @model_validator(mode="after")
    def _record_in_zone(self) -> DnsConfig:
        if self.record == self.zone:
            raise ValueError(f"record {self.record} is the zone itself, where DNS allows no CNAME; use a name below it")
        if not self.record.endswith(f".{self.zone}"):
            raise ValueError(f"record {self.record} is not in zone {self.zone}; it must end in .{self.zone}")
        both = sorted(set(self.also) & set(self.leave))
        if both:
            raise ValueError(f"{both[0]} is in also and in leave; keep one of them")
        return self

    @property
    def zone_is_chosen(self) -> bool:
        """Whether the file says which of several zones of that name is meant: by id, or public or private."""
        return self.zone_id is not None or "private_zone" in self.model_fields_set


class KeyConfig(Section):
    """[key]: the new customer managed key. Periods in days. `adopt = false` leaves the old key outside this root.

    `rds_callers` may use it by calling RDS: ARNs, or "*" alone for everybody in the account.
    """

    alias: Annotated[str, AfterValidator(rules.key_alias)] = Field(examples=["alias/orders"])
    administrators: Principals = Field(default=(), examples=[["arn:aws:iam::123456789012:role/admin"]])
    users: Principals = Field(default=(), examples=[["arn:aws:iam::123456789012:role/app"]])
    rds_callers: Annotated[Strings, AfterValidator(rules.rds_callers)] = Field(
        default=("*",), examples=[["arn:aws:iam::123456789012:role/rotator"]]
    )
    rotation_period_in_days: int = Field(default=365, ge=90, le=2560)
    deletion_window_in_days: int = Field(default=30, ge=7, le=30)
    multi_region: bool = False
    adopt: bool = True


class RotationConfig(Section):
    """[rotation]: strategy and budgets. `soak` is the grace time before retire, such as "72h"; budgets in seconds.

    `parity_ignore` names fields of DescribeDBInstances in which green may differ from blue.
    """

    strategy: Literal["auto", "replicate", "snapshot"] = "auto"
    soak: str = Field(default="72h", pattern=rules.DURATION, examples=["72h"])
    fence_budget: float = Field(default=30.0, gt=0)
    on_failure: Literal["lift-fence", "keep-fence"] = "lift-fence"
    poll_seconds: float = Field(default=15.0, gt=0)
    parity_ignore: Strings = ()
    replica_identity_full: bool = False
    max_retained_wal_gb: float | None = Field(default=None, gt=0, examples=[50.0])


class CutoverConfig(Section):
    """[cutover]: strategy `replicate`. Budget in seconds for each part of the pause; beyond it the flip is cancelled.

    `calm`: how long to wait before it for a moment without long transactions. `grace`: how long open ones may go on
    before their sessions are ended; those that are four times as old are ended at once. `sequence_headroom`: numbers
    that sequences skip at the flip. `follow`, for both strategies: how long beyond its TTL the resolver may answer blue
    after the flip.
    """

    calm: float = Field(default=20.0, ge=0)
    grace: float = Field(default=0.1, ge=0)
    fence: float = Field(default=2.0, gt=0)
    drain: float = Field(default=3.0, gt=0)
    recheck: float = Field(default=1.0, gt=0)
    sequences: float = Field(default=1.0, gt=0)
    sequence_headroom: int = Field(default=1000, ge=0)
    follow: float = Field(default=30.0, gt=0)


class RetireConfig(Section):
    """[retire]: what survives. A snapshot under the old key that no `delete_snapshots` glob matches keeps that key.

    `disabled_for`: how long the old key is disabled before its deletion is scheduled; default: 7 days, none in
    the sandbox.
    """

    delete_snapshots: Strings = Field(default=(), examples=[["orders-nightly-*"]])
    disabled_for: str | None = Field(default=None, pattern=rules.DURATION, examples=["7d"])
    keep_automated_backups: bool = True


class BackendConfig(Section):
    """[terraform.backend]: rendered into the root. `settings` are the backend's own arguments (strings or booleans)."""

    type: Literal["local", "s3"] = "local"
    settings: Annotated[dict[str, str | bool], AfterValidator(rules.backend_settings)] = Field(
        default_factory=dict, examples=[{"bucket": "my-terraform-state"}]
    )


class TerraformConfig(Section):
    """[terraform]: binary, backend, and further environment variables for Terraform and its providers.

    `keep_provider`: one provider serves all plans of a command, instead of one for each run.
    """

    binary: Text | None = None
    pass_environment: Annotated[Strings, AfterValidator(rules.passed_variables)] = Field(
        default=(), examples=[["VAULT_ADDR"]]
    )
    keep_provider: bool = True
    backend: BackendConfig = BackendConfig()


class JournalConfig(Section):
    """[journal]: where the journal is. Without `s3` it is a file of the env, and one machine's runs exclude each other.

    `s3`: 's3://bucket/prefix', beside Terraform's state: for CI and teams. `region`, `endpoint_url`: default those of
    [aws]. `kms_key_id`: what its objects are encrypted with; default: the bucket's setting. `lease_seconds`: after so
    long without a sign of life a run counts as dead.
    """

    s3: Annotated[str, AfterValidator(rules.s3_url)] | None = Field(default=None, examples=["s3://my-state/rotator"])
    region: Text | None = None
    endpoint_url: Annotated[str, AfterValidator(rules.http_url)] | None = None
    kms_key_id: Text | None = None
    lease_seconds: float = Field(default=45.0, ge=3.0, le=600.0)


class CanaryConfig(Section):
    """[canary]: a URL whose GET answers a write canary's report as JSON, shown in the closing summary."""

    report_url: Annotated[str, AfterValidator(rules.http_url)] | None = None


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
    """The complete rotation.toml."""

    aws: AwsConfig
    database: DatabaseConfig
    dns: DnsConfig
    key: KeyConfig
    rotation: RotationConfig = RotationConfig()
    cutover: CutoverConfig = CutoverConfig()
    retire: RetireConfig = RetireConfig()
    terraform: TerraformConfig = TerraformConfig()
    journal: JournalConfig = JournalConfig()
    canary: CanaryConfig = CanaryConfig()
    sandbox: SandboxConfig | None = None
    tags: Annotated[dict[str, str], AfterValidator(rules.tags)] = Field(
        default_factory=dict, examples=[{"team": "orders"}]
    )

    @property
    def disabled_for(self) -> str:
        """How long the old key is disabled before its deletion is scheduled."""
        usual = "7d" if self.sandbox is None else "0s"
        return self.retire.disabled_for or usual

    @model_validator(mode="after")
    def _password_stays_here(self) -> EnvConfig:
        if self.database.credentials.password_env in self.terraform.pass_environment:
            raise ValueError(
                "terraform.pass_environment holds database.credentials.password_env: Terraform must not get it"
            )
        return self

    @model_validator(mode="after")
    def _replicate_needs_access(self) -> EnvConfig:
        if self.rotation.strategy == "replicate" and self.database.access == "none":
            raise ValueError(
                'rotation.strategy "replicate" needs database.access "direct": the tool sets up the replication itself'
            )
        return self


class Env(Section):
    """A loaded env: its name, its folder, its config."""

    name: str
    path: Path
    config: EnvConfig


def soak_seconds(soak: str) -> int:
    """The seconds of a duration such as '90s', '15m', '72h', '3d'; raises ValueError for anything else."""
    return rules.duration_seconds(soak)
