"""No setting of an instance is lost unnoticed: every field that RDS describes has a place in what the tool knows."""

from __future__ import annotations

import botocore.session
import pytest
from aws_elements import element

from rotator.aws.elements import instance_of
from rotator.aws.mending import CARRIED, KNOWN, SET_AFTERWARDS, lost, mends, not_in_force

RDS = botocore.session.get_session().get_service_model("rds")
DESCRIBED = frozenset(RDS.shape_for("DBInstance").members)


def test_every_field_that_rds_describes_is_carried_set_refused_or_of_no_account():
    # A new SDK brings new fields: find out whether a restore keeps each, then put it into one of the sets.
    assert set() == DESCRIBED - KNOWN
    assert set() == KNOWN - DESCRIBED
    assert not SET_AFTERWARDS.keys() & CARRIED


@pytest.mark.parametrize("engine", ["postgres", "mysql", "sqlserver", "oracle"])
def test_what_is_set_afterwards_are_arguments_of_modify_db_instance(engine):
    taken = RDS.operation_model("ModifyDBInstance").input_shape.members
    wanted = mends(instance_of(element(engine)), SET_AFTERWARDS)
    assert "CACertificateIdentifier" in wanted
    assert set(wanted) <= set(taken)


def test_advanced_insights_come_with_what_rds_asks_for():
    blue = element(DatabaseInsightsMode="advanced", PerformanceInsightsRetentionPeriod=465)
    assert mends(instance_of(blue), ["DatabaseInsightsMode", "Endpoint"]) == {
        "DatabaseInsightsMode": "advanced",
        "EnablePerformanceInsights": True,
        "PerformanceInsightsRetentionPeriod": 465,
    }


def test_what_nobody_can_give_is_lost_unless_it_is_accepted():
    blue = instance_of(element(TdeCredentialArn="arn:x", AdditionalStorageVolumes=[{"VolumeName": "v"}]))
    assert lost(blue, ()) == ("AdditionalStorageVolumes", "TdeCredentialArn")
    assert lost(blue, ("TdeCredentialArn",)) == ("AdditionalStorageVolumes",)
    assert lost(instance_of(element()), ()) == ()


def test_groups_that_are_not_in_force_are_named():
    assert not_in_force(element()) == ()
    found = not_in_force(
        element(
            DBParameterGroups=[{"DBParameterGroupName": "orders", "ParameterApplyStatus": "pending-reboot"}],
            OptionGroupMemberships=[{"OptionGroupName": "audit", "Status": "pending-apply"}],
            VpcSecurityGroups=[{"VpcSecurityGroupId": "sg-1", "Status": "adding"}],
        )
    )
    assert found == ("orders (pending-reboot)", "audit (pending-apply)", "sg-1 (adding)")
