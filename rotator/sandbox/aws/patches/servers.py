"""Real database servers behind moto's instances and snapshots."""

from __future__ import annotations

import json
import secrets
from typing import Any

from moto.rds.exceptions import RDSClientError
from moto.rds.models import MasterUserSecret, RDSBackend

from rotator.sandbox.aws.patches.core import Context, Patch, Patcher
from rotator.sandbox.errors import SandboxError
from rotator.sandbox.interface import Fleet

ENGINE = "postgres"


def _instances(patcher: Patcher, context: Context) -> None:
    fleet = context.fleet
    patcher.wrap(RDSBackend, "create_db_instance", _create(fleet))
    patcher.wrap(RDSBackend, "modify_db_instance", _modify(fleet))
    patcher.wrap(RDSBackend, "delete_db_instance", _after(lambda each: fleet.delete(each.db_instance_identifier)))
    patcher.wrap(RDSBackend, "stop_db_instance", _after(lambda each: fleet.stop(each.db_instance_identifier)))
    patcher.wrap(RDSBackend, "start_db_instance", _after(lambda each: fleet.start(each.db_instance_identifier)))
    patcher.wrap(
        RDSBackend,
        "reboot_db_instance",
        _after(lambda each: fleet.reboot(each.db_instance_identifier, _parameters(each))),
    )


def _create(fleet: Fleet) -> Any:
    def make(original: Any) -> Any:
        def create_db_instance(self: RDSBackend, db_kwargs: Any) -> Any:
            database = original(self, db_kwargs)
            if database.engine == ENGINE:
                try:
                    _open(fleet, self, database, db_kwargs.get("db_snapshot_identifier"))
                except SandboxError as error:
                    self.databases.pop(database.db_instance_identifier, None)
                    raise _failed(error) from error
            return database

        return create_db_instance

    return make


def _modify(fleet: Fleet) -> Any:
    def make(original: Any) -> Any:
        def modify_db_instance(self: RDSBackend, db_instance_identifier: str, db_kwargs: Any) -> Any:
            password = db_kwargs.get("master_user_password")
            managed = db_kwargs.get("manage_master_user_password")
            database = original(self, db_instance_identifier, db_kwargs)
            if database.engine != ENGINE:
                return database
            identifier = database.db_instance_identifier
            if identifier != db_instance_identifier.lower():
                fleet.rename(db_instance_identifier.lower(), identifier)
            if password or managed:
                fleet.set_password(identifier, database._master_user_password)
            return database

        return modify_db_instance

    return make


def _open(fleet: Fleet, backend: RDSBackend, database: Any, snapshot: str | None) -> None:
    if snapshot is not None:
        source = backend.get_db_snapshot(snapshot).db_snapshot_identifier
        fleet.restore(source, database.db_instance_identifier, _parameters(database))
        return
    fleet.create(
        database.db_instance_identifier,
        database.master_username,
        getattr(database, "_master_user_password", None) or "",
        database.db_name or ENGINE,
        _parameters(database),
        int(database.port),
    )


def _after(act: Any) -> Any:
    def make(original: Any) -> Any:
        def call(self: RDSBackend, *args: Any, **kwargs: Any) -> Any:
            database = original(self, *args, **kwargs)
            if database.engine == ENGINE:
                act(database)
            return database

        return call

    return make


def _parameters(database: Any) -> dict[str, str]:
    """The instance's own parameter group: name -> value."""
    groups = database.db_parameter_groups()
    return {
        name: str(each["ParameterValue"])
        for group in groups
        for name, each in group.parameters.items()
        if each.get("ParameterValue") not in (None, "")
    }


def _snapshots(patcher: Patcher, context: Context) -> None:
    fleet = context.fleet

    def make_create(original: Any) -> Any:
        def create_db_snapshot(
            self: RDSBackend, db_instance_identifier: str, db_snapshot_identifier: str, *args: Any, **kwargs: Any
        ) -> Any:
            identifier = db_instance_identifier.lower()
            name = db_snapshot_identifier.lower()
            if name in self.database_snapshots or identifier not in fleet.addresses():
                return original(self, db_instance_identifier, db_snapshot_identifier, *args, **kwargs)
            return _with_data(
                lambda: fleet.snapshot(identifier, name),
                lambda: original(self, db_instance_identifier, db_snapshot_identifier, *args, **kwargs),
                lambda: fleet.delete_snapshot(name),
            )

        return create_db_snapshot

    def make_copy(original: Any) -> Any:
        def copy_db_snapshot(self: RDSBackend, source_db_snapshot_identifier: str, **kwargs: Any) -> Any:
            name = kwargs["target_db_snapshot_identifier"].lower()
            source: Any = self.get_db_snapshot(source_db_snapshot_identifier)

            def record() -> Any:
                return original(self, source_db_snapshot_identifier=source_db_snapshot_identifier, **kwargs)

            if name in self.database_snapshots or source.engine != ENGINE:
                return record()
            return _with_data(
                lambda: fleet.copy_snapshot(source.db_snapshot_identifier, name),
                record,
                lambda: fleet.delete_snapshot(name),
            )

        return copy_db_snapshot

    def make_delete(original: Any) -> Any:
        def delete_db_snapshot(self: RDSBackend, db_snapshot_identifier: str) -> Any:
            snapshot = original(self, db_snapshot_identifier)
            fleet.delete_snapshot(snapshot.db_snapshot_identifier)
            return snapshot

        return delete_db_snapshot

    patcher.wrap(RDSBackend, "create_db_snapshot", make_create)
    patcher.wrap(RDSBackend, "copy_db_snapshot", make_copy)
    patcher.wrap(RDSBackend, "delete_db_snapshot", make_delete)


def _with_data(store: Any, record: Any, forget: Any) -> Any:
    """The data first, then moto's entry: an instance or snapshot that AWS describes has its data."""
    try:
        store()
    except SandboxError as error:
        raise _failed(error) from error
    try:
        return record()
    except Exception:
        forget()
        raise


def _failed(error: SandboxError) -> RDSClientError:
    return RDSClientError("InternalFailure", f"the local AWS failed: {error.what}. {error.why}")


def _managed_passwords(patcher: Patcher, _: Context) -> None:
    def _generate_secret_string(self: Any) -> str:
        password = secrets.token_urlsafe(24)
        self.resource._master_user_password = password
        return json.dumps({"username": self.resource.master_username, "password": password})

    patcher.put(MasterUserSecret, "_generate_secret_string", _generate_secret_string)


PATCHES = (
    Patch("managed-passwords", "moto's managed secrets all hold one and the same password", _managed_passwords),
    Patch("servers", "moto's instances have no servers", _instances),
    Patch("snapshot-data", "moto's snapshots hold no data", _snapshots, needs=("servers",)),
)
