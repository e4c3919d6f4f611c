"""An instance as the kind of deployment that a rotation moves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes import BLUE, OLD_KEY, FakeRds, Killed, instance, managed_secret, new_world

from rotator.domain.aws import Deployment, Quota
from rotator.topology.instance import SingleInstance
from rotator.topology.interface import Need
from rotator.topology.kinds import KINDS, topology

NEW_KEY = "arn:aws:kms:eu-central-1:123456789012:key/new"


@pytest.fixture
def kind() -> SingleInstance:
    return SingleInstance(FakeRds(new_world()))


def blue(**raw: Any) -> Deployment:
    made = instance(BLUE, OLD_KEY, {}, {"multi_az": True, "performance_insights_kms_key_id": OLD_KEY})
    return replace(made, raw={**made.raw, **raw})


def test_it_is_the_kind_that_there_is() -> None:
    assert list(KINDS) == ["instance"]
    assert topology(FakeRds(new_world())).kind == "instance"
    with pytest.raises(KeyError):
        topology(FakeRds(new_world()), "cluster")


def test_it_finds_what_rds_has(kind: SingleInstance) -> None:
    found = kind.find(BLUE)
    assert found is not None
    assert found.identifier == BLUE
    assert kind.find("nothing-of-that-name") is None


def test_its_address_is_the_one_that_the_firewall_knows(kind: SingleInstance) -> None:
    assert kind.address("g1") == 'module.database["g1"].aws_db_instance.this'


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({}, ()),
        ({"ReadReplicaDBInstanceIdentifiers": []}, ()),
        ({"DBClusterIdentifier": "shop-cluster"}, ("DBClusterIdentifier = shop-cluster",)),
        ({"ReadReplicaDBInstanceIdentifiers": ["a", "b"]}, ("ReadReplicaDBInstanceIdentifiers = a, b",)),
        ({"ReadReplicaSourceDBInstanceIdentifier": "shop"}, ("ReadReplicaSourceDBInstanceIdentifier = shop",)),
    ],
)
def test_what_is_more_than_one_instance_is_told(
    kind: SingleInstance, raw: dict[str, Any], words: tuple[str, ...]
) -> None:
    assert kind.not_of_this_kind(blue(**raw)) == words


def test_green_gets_blues_settings_with_the_new_key_where_the_old_one_was(kind: SingleInstance) -> None:
    assert kind.as_green(blue(), NEW_KEY)["performance_insights_kms_key_id"] == NEW_KEY
    assert kind.as_green(blue(), None) == blue().settings
    assert kind.as_green(replace(blue(), kms_key_arn=None), NEW_KEY) == blue().settings


def test_what_clients_depend_on(kind: SingleInstance) -> None:
    plain = kind.traits(blue())
    assert (plain.iam_authentication, plain.certificate_authority, plain.managed_secret) == (False, None, None)
    secret = {"SecretArn": managed_secret(BLUE)}
    found = kind.traits(
        blue(IAMDatabaseAuthenticationEnabled=True, CACertificateIdentifier="rds-ca-2019", MasterUserSecret=secret)
    )
    assert (found.iam_authentication, found.certificate_authority) == (True, "rds-ca-2019")
    assert found.managed_secret == managed_secret(BLUE)


def test_every_field_is_compared_and_a_difference_can_be_mended(kind: SingleInstance) -> None:
    green = replace(blue(), identifier="shop-db-g1", raw={**blue().raw, "Engine": "mysql"})
    assert kind.differences(blue(), green, {}) == ("Engine: blue='postgres' green='mysql'",)
    assert kind.compared(blue()) == len(blue().raw)
    assert kind.mends(blue(), {"Engine"}) == {}


def test_a_quota_that_is_too_small_is_seen() -> None:
    assert Need(Quota("DBInstances", 39, 40), 1).fits
    assert not Need(Quota("DBInstances", 40, 40), 1).fits


def test_what_changes_something_goes_through_to_rds() -> None:
    world = new_world()
    world.kill_at = 1
    with pytest.raises(Killed):
        SingleInstance(FakeRds(world)).create_snapshot(BLUE, "snap", {})
