"""Green equals blue in all that counts, and every difference that counts is said."""

from __future__ import annotations

import pytest
from aws_elements import ENGINES, NEW_KEY, OLD_KEY, OTHER_KEY, element, green_of
from hypothesis import given
from hypothesis import strategies as st

from rotator.aws.elements import instance_of
from rotator.aws.parity import IGNORED, differences


def compare(blue, green, **given_tags):
    return differences(instance_of(blue), instance_of(green), given_tags)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sound_green_has_no_difference(engine):
    blue = element(engine)
    assert compare(blue, green_of(blue)) == ()


def test_a_multi_az_pair_may_sit_the_other_way_round():
    blue = element()
    assert compare(blue, green_of(blue, AvailabilityZone="eu-west-1b", SecondaryAvailabilityZone="eu-west-1a")) == ()


def test_a_single_az_instance_must_stay_in_its_zone():
    blue = element("mysql")
    found = compare(blue, green_of(blue, AvailabilityZone="eu-west-1c"))
    assert found == ("AvailabilityZone: blue='eu-west-1a' green='eu-west-1c'",)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"MultiAZ": False}, "MultiAZ: blue=True green=False"),
        ({"DeletionProtection": None}, "DeletionProtection: blue=True green=-"),
        ({"EngineVersion": "16.4"}, "EngineVersion: blue='16.3' green='16.4'"),
        ({"BackupRetentionPeriod": 1}, "BackupRetentionPeriod: blue=7 green=1"),
        ({"EnabledCloudwatchLogsExports": []}, "EnabledCloudwatchLogsExports: blue=['postgresql', 'upgrade'] green=-"),
        ({"VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-0a"}]}, "VpcSecurityGroups: blue=['sg-0a', 'sg-0b']"),
        (
            {"DBParameterGroups": [{"DBParameterGroupName": "default.postgres16"}]},
            "DBParameterGroups: blue=['orders-pg16'] green=['default.postgres16']",
        ),
        ({"CACertificateIdentifier": "rds-ca-ecc384-g1"}, "CACertificateIdentifier: blue='rds-ca-rsa2048-g1'"),
        ({"DBSubnetGroup": {"DBSubnetGroupName": "default"}}, "DBSubnetGroup: blue='private' green='default'"),
        ({"PendingModifiedValues": {"MultiAZ": True}}, "PendingModifiedValues: blue=- green={'MultiAZ': True}"),
        ({"PerformanceInsightsKMSKeyId": OLD_KEY}, 'PerformanceInsightsKMSKeyId: blue="the storage\'s key" green='),
        ({"Endpoint": {"Address": "x", "Port": 5433}}, "Endpoint: blue=5432 green=5433"),
        ({"AssociatedRoles": [{"RoleArn": "r", "FeatureName": "s3Import"}]}, "AssociatedRoles: blue=- green="),
        ({"EnhancedMonitoringResourceArn": None}, "EnhancedMonitoringResourceArn: blue=True green=False"),
        ({"SomethingNewOfNextYear": "on"}, "SomethingNewOfNextYear: blue=- green='on'"),
    ],
)
def test_every_difference_is_said_with_both_values(fields, said):
    blue = element()
    found = compare(blue, green_of(blue, **fields))
    assert len(found) == 1
    assert found[0].startswith(said)


def test_another_performance_insights_key_stays_the_same():
    blue = element(PerformanceInsightsKMSKeyId=OTHER_KEY)
    assert compare(blue, green_of(blue, PerformanceInsightsKMSKeyId=OTHER_KEY)) == ()
    assert compare(blue, green_of(blue, PerformanceInsightsKMSKeyId=NEW_KEY)) != ()


def test_the_master_secret_counts_but_not_its_name():
    blue = element("mysql")
    assert compare(blue, green_of(blue)) == ()
    (missing,) = compare(blue, green_of(blue, MasterUserSecret=None))
    assert missing.startswith('MasterUserSecret: blue="managed, under the storage\'s key" green=-')


def test_tags_count_except_those_of_aws_and_of_rotations():
    blue = element()
    green = green_of(blue, TagList=[{"Key": "team", "Value": "x"}, {"Key": "rotator:rotation", "Value": "prod-g1"}])
    assert compare(blue, green) == ("TagList: team: blue='orders' green='x'",)


def test_tags_that_green_is_given_are_wanted():
    blue = element()
    green = green_of(blue, TagList=[{"Key": "team", "Value": "new"}, {"Key": "cost", "Value": "7"}])
    assert compare(blue, green, team="new", cost="7") == ()
    assert len(compare(blue, green)) == 2


def test_unencrypted_blue_and_encrypted_green():
    blue = element(StorageEncrypted=False, KmsKeyId=None, PerformanceInsightsKMSKeyId=OTHER_KEY)
    green = green_of(blue, StorageEncrypted=True, KmsKeyId=NEW_KEY, PerformanceInsightsKMSKeyId=OTHER_KEY)
    assert compare(blue, green) == ()


PLAIN = sorted(
    name
    for name, value in element().items()
    if name not in IGNORED and isinstance(value, str | int) and name != "EnhancedMonitoringResourceArn"
)
OTHER_VALUES = {
    bool: st.booleans(),
    int: st.integers(min_value=1),
    str: st.text(min_size=1),
}


@given(st.sampled_from([name for name in PLAIN if "Zone" not in name]), st.data())
def test_no_plain_field_can_change_unnoticed(field, data):
    blue = element()
    value = data.draw(OTHER_VALUES[type(blue[field])].filter(lambda other: other != blue[field]))
    found = compare(blue, green_of(blue, **{field: value}))
    assert field in [line.split(":")[0] for line in found]


@given(st.sampled_from(sorted(ENGINES)), st.sampled_from(PLAIN), st.data())
def test_an_instance_does_not_differ_from_itself(engine, field, data):
    value = data.draw(OTHER_VALUES[type(element()[field])])
    blue = element(engine, **{field: value})
    assert compare(blue, blue) == ()
