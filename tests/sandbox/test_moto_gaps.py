"""Every patch of moto: what AWS does with it on, and what moto does with that one patch off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import moto_objects as objects
import moto_settings as settings
import moto_states as states
import pytest
from moto_bench import Bench, services, without

from rotator.sandbox.aws.patches import PATCHES


@dataclass(frozen=True)
class Gap:
    """`see` gives what a client sees; `aws` is right, `moto` is what it sees without the patch."""

    patch: str
    see: Callable[[Bench], Any]
    aws: Any
    moto: Any


MADE = "made as blue/shop/admin_user"
STATE, SNAPSHOT_STATE, KEY = "InvalidDBInstanceState", "InvalidDBSnapshotState", "KMSKeyNotAccessibleFault"

GAPS = (
    Gap("unique-resource-id", settings.resource_ids, True, False),
    Gap("remember-settings", settings.forgotten_settings, (True, 31, "DUAL", True), (None, None, None, None)),
    Gap("modify-settings", settings.modified_settings, True, False),
    Gap(
        "snapshot-settings",
        settings.snapshot_settings,
        ("gp3", "default:postgres-15", "postgresql-license"),
        (None, None, None),
    ),
    Gap("parameter-source", settings.user_parameters, (["user"], 0), ([None], 1)),
    Gap("dangerous-parameters", settings.parameter_that_runs_a_program, "InvalidParameterValue", "done"),
    Gap("option-groups", settings.default_option_group, "done", "OptionGroupNotFoundFault"),
    Gap("option-groups", settings.new_option_group, "done", "InvalidParameterCombination"),
    Gap("parameter-family", settings.foreign_family, ("InvalidParameterCombination",) * 2, ("done", "done")),
    Gap("security-groups", settings.unknown_security_group, "InvalidParameterValue", "done"),
    Gap("security-groups", settings.security_group_of_the_subnets, True, False),
    Gap("restore-defaults", settings.restored_defaults, (False, False, [], "gp3"), (True, True, [], "gp2")),
    Gap("restore-defaults", settings.restored_false, False, True),
    Gap("usable-keys-only", settings.restore_under_disabled_key, KEY, "done"),
    Gap("key-usage", settings.key_usage, "ENCRYPT_DECRYPT", None),
    Gap("key-arns", settings.disable_by_arn, "done", "fell over"),
    Gap("key-states", settings.disabled_key, ("DisabledException",) * 3, ("done",) * 3),
    Gap("key-states", settings.pending_key, ("KMSInvalidStateException",) * 3, ("done",) * 3),
    Gap("key-states", settings.decrypt_with_disabled_key, "DisabledException", "done"),
    Gap("last-usage", settings.last_usage, (None, "Encrypt"), "not implemented"),
    Gap("rotation-period", settings.rotation_period, 180, None),
    Gap("usable-keys-only", settings.create_with_disabled_key, KEY, "done"),
    Gap("usable-keys-only", settings.create_with_alias, True, False),
    Gap("copies-keep-their-key", settings.copy_of_a_copy, True, False),
    Gap("copies-keep-their-key", settings.copy_under_a_disabled_source_key, KEY, "done"),
    Gap("managed-by-aws", settings.aws_managed, "AWS", "CUSTOMER"),
    Gap("private-zones", settings.private_zone, (True, [True]), (False, [])),
    Gap("existing-records", settings.existing_record, "InvalidChangeBatch", "done"),
    Gap(
        "instance-statuses",
        states.statuses_of_a_creation,
        [("creating", False), ("creating", False), ("available", True)],
        [("available", True)] * 3,
    ),
    Gap("instance-statuses", states.statuses_of_a_modification, ("modifying", "available"), ("available", "available")),
    Gap(
        "snapshot-statuses",
        states.statuses_of_a_copy,
        [("copying", 0), ("copying", 50), ("available", 100)],
        [("available", 100)] * 3,
    ),
    Gap(
        "snapshot-statuses",
        states.statuses_of_a_snapshot,
        (("creating", "backing-up"), ("available", "available")),
        (("available", "available"),) * 2,
    ),
    Gap("snapshot-statuses", states.source_deleted_under_a_copy, "failed", "available"),
    Gap(
        "slow-deletion",
        states.deletion,
        ("done", "DBInstanceAlreadyExists", "DBInstanceNotFound"),
        ("DBInstanceNotFound", "done", "done"),
    ),
    Gap("locked-out", states.locked_out, (states.LOCKED_OUT, "available"), ("available", "available")),
    Gap("right-states-only", states.snapshot_too_early, STATE, "done"),
    Gap("right-states-only", states.snapshot_of_a_stopped_one, (STATE, STATE), ("done", "done")),
    Gap("right-states-only", states.unfinished_snapshot, (SNAPSHOT_STATE, SNAPSHOT_STATE), ("done", "done")),
    Gap("servers", states.data_of_a_restore, MADE, None),
    Gap("servers", states.passwords, "second-password", None),
    Gap("servers", states.server_of_a_deleted_one, (False, MADE), (False, None)),
    Gap("snapshot-data", states.data_of_a_snapshot, MADE, None),
    Gap("snapshot-data", states.data_of_a_deleted_snapshot, False, True),
    Gap("managed-passwords", states.managed_password, ("admin_user", True, False), ("admin", False, True)),
    Gap("automated-snapshots", states.identifier_used_again, "done", "DBSnapshotAlreadyExists"),
    Gap("automated-snapshots", states.no_retention, 0, 1),
    Gap("automated-backups", states.retained_backups, [("retained", True, True)], [("retained", False, False)]),
    Gap("pending-values", states.pending_values, ((20, {"AllocatedStorage": 30}), (30, {})), ((30, None), (30, None))),
    Gap("account-attributes", states.quotas, [(1, 40)], "not implemented"),
    Gap("quotas", states.too_many_instances, "InstanceQuotaExceeded", "done"),
    Gap("final-snapshot-rules", states.no_final_snapshot, ("InvalidParameterCombination",) * 2, ("done", STATE)),
    Gap("log-files", states.log_files, 0, 1),  # the fake servers have no log
    Gap("log-portions", states.log_portion, "DBLogFileNotFoundFault", "not implemented"),
    Gap("conditional-writes", objects.two_who_make_one, ["PreconditionFailed", "done"], ["done", "done"]),
    Gap("conditional-writes", objects.two_who_replace_one, ["PreconditionFailed", "done"], ["done", "done"]),
    Gap("unsupported", states.replica, "InvalidParameterCombination", "done"),
)


@pytest.mark.parametrize("gap", GAPS, ids=lambda gap: f"{gap.patch}-{gap.see.__name__}")
def test_the_local_aws_does_as_aws(gap: Gap) -> None:
    with services() as local:
        assert gap.see(local) == gap.aws


@pytest.mark.parametrize("gap", GAPS, ids=lambda gap: f"{gap.patch}-{gap.see.__name__}")
def test_moto_alone_does_not(gap: Gap) -> None:
    with services(without(gap.patch)) as local:
        assert gap.see(local) == gap.moto


def test_every_patch_has_a_gap() -> None:
    assert {gap.patch for gap in GAPS} == {patch.name for patch in PATCHES}
