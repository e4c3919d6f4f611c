"""Settings that moto accepts and then forgets: perpetual differences for Terraform, blind spots for a comparison."""

from __future__ import annotations

from typing import Any

from moto.rds.models import DBInstance, DBSnapshot

from rotator.sandbox.aws.patches.core import Context, Patch, Patcher

DEFAULTS: dict[str, Any] = {
    "performance_insights_enabled": False,
    "performance_insights_kms_key_id": None,
    "performance_insights_retention_period": None,
    "database_insights_mode": "standard",
    "network_type": "IPV4",
    "dedicated_log_volume": False,
    "engine_lifecycle_support": "open-source-rds-extended-support",
    "customer_owned_ip_enabled": False,
    "backup_target": "region",
    "activity_stream_status": "stopped",
    "multi_tenant": False,
    "is_storage_config_upgrade_available": False,
}
REQUEST_TO_DESCRIBED = {
    "enable_performance_insights": "performance_insights_enabled",
    "enable_customer_owned_ip": "customer_owned_ip_enabled",
    "db_port_number": "port",
}
SNAPSHOT_SETTINGS = ("storage_type", "iops", "storage_throughput", "license_model", "availability_zone")
DEFAULT_PI_RETENTION_DAYS = 7
CERTIFICATE = "rds-ca-rsa2048-g1"


def _remember_settings(patcher: Patcher, _: Context) -> None:
    def make(original: Any) -> Any:
        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
            kwargs.setdefault("ca_certificate_identifier", CERTIFICATE)
            if kwargs.get("engine") == "postgres":
                kwargs.setdefault("license_model", "postgresql-license")
            original(self, *args, **kwargs)
            for name, default in DEFAULTS.items():
                setattr(self, name, kwargs.get(name, default))
            for requested, described in REQUEST_TO_DESCRIBED.items():
                if kwargs.get(requested) is not None:
                    setattr(self, described, kwargs[requested])
            self.publicly_accessible = bool(self.publicly_accessible)
            _complete(self)

        return __init__

    patcher.wrap(DBInstance, "__init__", make)


def _complete(database: Any) -> None:
    """What RDS fills in itself once a feature is on, or drops once it is off."""
    if database.performance_insights_enabled:
        database.performance_insights_retention_period = (
            database.performance_insights_retention_period or DEFAULT_PI_RETENTION_DAYS
        )
        database.performance_insights_kms_key_id = (
            database.performance_insights_kms_key_id or database.backend._validate_kms_key("alias/aws/rds")
        )
    else:
        database.performance_insights_retention_period = None
        database.performance_insights_kms_key_id = None
    interval = database.monitoring_interval or 0
    database.enhanced_monitoring_resource_arn = None
    if interval:
        database.enhanced_monitoring_resource_arn = (
            f"arn:aws:logs:{database.region}:{database.account_id}:log-group:RDSOSMetrics"
            f":log-stream:{database.dbi_resource_id}"
        )


def _modify_settings(patcher: Patcher, _: Context) -> None:
    def make(original: Any) -> Any:
        def update(self: Any, **kwargs: Any) -> None:
            for requested, described in REQUEST_TO_DESCRIBED.items():
                if requested in kwargs:
                    kwargs[described] = kwargs.pop(requested)
            exports = kwargs.pop("cloudwatch_logs_export_configuration", None) or {}
            original(self, **kwargs)
            kept = set(self.enabled_cloudwatch_logs_exports) | set(exports.get("EnableLogTypes") or ())
            self.enabled_cloudwatch_logs_exports = sorted(kept - set(exports.get("DisableLogTypes") or ()))
            if kwargs.get("monitoring_interval") == 0:
                self.monitoring_role_arn = None
            _complete(self)

        return update

    patcher.wrap(DBInstance, "update", make)


def _snapshot_settings(patcher: Patcher, _: Context) -> None:
    def make(original: Any) -> Any:
        def __init__(self: Any, backend: Any, database: Any, *args: Any, **kwargs: Any) -> None:
            original(self, backend, database, *args, **kwargs)
            for name in SNAPSHOT_SETTINGS:
                setattr(self, name, getattr(database, name, None))
            self.option_group_name = database.option_group_name
            self.snapshot_target = "region"
            self.snapshot_database_time = self.created
            self.percent_progress = 100

        return __init__

    patcher.wrap(DBSnapshot, "__init__", make)


PATCHES = (
    Patch(
        "remember-settings",
        "moto drops Performance Insights, NetworkType, DedicatedLogVolume, EngineLifecycleSupport and others",
        _remember_settings,
    ),
    Patch(
        "modify-settings",
        "moto keeps modifications under the request's name, where DescribeDBInstances does not look for them",
        _modify_settings,
    ),
    Patch(
        "snapshot-settings",
        "moto's snapshots say nothing of storage type, licence, option group or progress",
        _snapshot_settings,
    ),
)
