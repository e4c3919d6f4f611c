"""Parameter groups, option groups and security groups."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.rds.exceptions import InvalidParameterCombination, InvalidParameterValue
from moto.rds.models import DBInstance, OptionGroup, RDSBackend
from moto.rds.responses import RDSResponse

from rotator.sandbox.aws.patches.core import Context, Patch, Patcher

FIRST_NEW_POSTGRES = 14


def _parameter_source(patcher: Patcher, _: Context) -> None:
    def make(original: Any) -> Any:
        def describe_db_parameters(self: Any) -> ActionResult:
            wanted = self.params.get("Source")
            parameters = [
                {"Source": "user", "IsModifiable": True, **each} for each in original(self).result["Parameters"]
            ]
            return ActionResult({"Parameters": [each for each in parameters if wanted in (None, each["Source"])]})

        return describe_db_parameters

    patcher.wrap(RDSResponse, "describe_db_parameters", make)


def _dangerous_parameters(patcher: Patcher, context: Context) -> None:
    def make(original: Any) -> Any:
        def modify_db_parameter_group(self: RDSBackend, db_parameter_group_name: str, parameters: Any) -> Any:
            wanted = list(parameters)
            for each in wanted:
                name, value = str(each.get("ParameterName")), str(each.get("ParameterValue"))
                why = context.fleet.refusal(name, value)
                if why is not None:
                    raise InvalidParameterValue(f"Could not modify parameter {name!r}: {why}.")
            return original(self, db_parameter_group_name, wanted)

        return modify_db_parameter_group

    patcher.wrap(RDSBackend, "modify_db_parameter_group", make)


def _option_groups(patcher: Patcher, _: Context) -> None:
    def make_create(original: Any) -> Any:
        def create_option_group(self: RDSBackend, option_group_kwargs: Any) -> Any:
            major = str(option_group_kwargs.get("major_engine_version", ""))
            asked = option_group_kwargs.get("engine_name")
            if asked != "postgres" or not major.isdigit() or int(major) < FIRST_NEW_POSTGRES:
                return original(self, option_group_kwargs)
            older = {**option_group_kwargs, "major_engine_version": "13"}
            group = original(self, older)
            group.major_engine_version = major
            return group

        return create_option_group

    def make_init(original: Any) -> Any:
        def __init__(self: Any, backend: RDSBackend, *args: Any, **kwargs: Any) -> None:
            name = kwargs.get("option_group_name")
            if name is not None and name.startswith("default:"):
                _default_group(backend, name)
            original(self, backend, *args, **kwargs)
            if name is None and self.db_cluster_identifier is None:
                major = self.engine_version.split(".")[0]
                if self.engine != "postgres":
                    major = "-".join(self.engine_version.split(".")[:2])
                self.option_group_name = f"default:{self.engine}-{major}"
                _default_group(backend, self.option_group_name)

        return __init__

    patcher.wrap(RDSBackend, "create_option_group", make_create)
    patcher.wrap(DBInstance, "__init__", make_init)


def _default_group(backend: RDSBackend, name: str) -> None:
    """Default option groups exist as soon as something names them."""
    if name in backend.option_groups:
        return
    engine, _, major = name.removeprefix("default:").rpartition("-")
    backend.option_groups[name] = OptionGroup(
        backend, name, engine, major, option_group_description=f"Default option group for {engine} {major}"
    )


def _parameter_family(patcher: Patcher, _: Context) -> None:
    def make_init(original: Any) -> Any:
        def __init__(self: Any, backend: RDSBackend, *args: Any, **kwargs: Any) -> None:
            original(self, backend, *args, **kwargs)
            _check_family(self, kwargs.get("db_parameter_group_name"))

        return __init__

    def make_modify(original: Any) -> Any:
        def modify_db_instance(self: RDSBackend, db_instance_identifier: str, db_kwargs: Any) -> Any:
            database = self.describe_db_instances(db_instance_identifier)[0]
            database.db_parameter_groups()  # the default group comes into being when it is first named
            _check_family(database, db_kwargs.get("db_parameter_group_name"))
            return original(self, db_instance_identifier, db_kwargs)

        return modify_db_instance

    patcher.wrap(DBInstance, "__init__", make_init)
    patcher.wrap(RDSBackend, "modify_db_instance", make_modify)


def _check_family(database: Any, name: str | None) -> None:
    group = database.backend.db_parameter_groups.get(name) if name else None
    family = database.default_db_parameter_group_details()[0]
    if group is not None and database.engine == "postgres" and group.family != family:
        raise InvalidParameterCombination(
            f"The Parameter Group {name} with DBParameterGroupFamily {group.family} cannot be used for this instance. "
            f"Please use a Parameter Group with DBParameterGroupFamily {family}"
        )


def _security_groups(patcher: Patcher, _: Context) -> None:
    def make_init(original: Any) -> Any:
        def __init__(self: Any, backend: RDSBackend, *args: Any, **kwargs: Any) -> None:
            _check_security_groups(backend, kwargs.get("vpc_security_group_ids"))
            original(self, backend, *args, **kwargs)
            subnets = getattr(self, "db_subnet_group", None)
            if not kwargs.get("vpc_security_group_ids") and subnets is not None and not self.db_cluster_identifier:
                ec2: Any = ec2_backends[backend.account_id][backend.region_name]
                self.vpc_security_group_ids = [ec2.get_default_security_group(subnets.vpc_id).id]

        return __init__

    def make_modify(original: Any) -> Any:
        def modify_db_instance(self: RDSBackend, db_instance_identifier: str, db_kwargs: Any) -> Any:
            _check_security_groups(self, db_kwargs.get("vpc_security_group_ids"))
            return original(self, db_instance_identifier, db_kwargs)

        return modify_db_instance

    patcher.wrap(DBInstance, "__init__", make_init)
    patcher.wrap(RDSBackend, "modify_db_instance", make_modify)


def _check_security_groups(backend: RDSBackend, ids: list[str] | None) -> None:
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    for each in ids or ():
        if ec2.get_security_group_from_id(each) is None:
            raise InvalidParameterValue(f"Invalid security group , groupId= {each}, groupName=.")


PATCHES = (
    Patch(
        "dangerous-parameters",
        "moto takes every parameter, also those by which a server runs programs or writes files",
        _dangerous_parameters,
    ),
    Patch(
        "parameter-source",
        "moto's parameters have no Source; the Terraform provider asks for those with Source 'user' and sees none",
        _parameter_source,
    ),
    Patch(
        "option-groups",
        "moto refuses option groups of newer PostgreSQL versions, and default groups by their name",
        _option_groups,
    ),
    Patch("parameter-family", "moto takes a parameter group of another engine version", _parameter_family),
    Patch("security-groups", "moto takes security groups that do not exist", _security_groups),
)
