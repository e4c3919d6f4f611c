"""The records of a root under the real Terraform and provider: spelled as people do, and several that flip at once."""

from dataclasses import replace

import pytest
from root_fixture import RECORD, Root, put, values

from rotator.domain import root_edits as edits
from rotator.domain.addresses import GATE, also
from rotator.domain.errors import Blocked
from rotator.domain.root import DatabaseSpec, EndpointSpec, Generation, RootData, Stage
from rotator.terraform.attempt import AtGate
from rotator.terraform.gate import Gate

pytestmark = pytest.mark.terraform

NAME = "db.shop.internal"


def imported(root: Root, *more: EndpointSpec, spelling: str | None = None) -> RootData:
    """The data that adopts the record as it is spelled, and further ones; no key: it is quicker."""
    data = root.adopted
    blue = data.generations["g0"].database
    assert blue is not None
    without_identity = Generation(None, replace(blue, kms_key_arn=root.blue.kms_key_arn))
    imports = replace(
        data.imports, keys={}, aliases={}, also={each.key: f"{each.zone_id}_{each.name}_CNAME" for each in more}
    )
    endpoint = replace(data.endpoint, spelling=spelling)
    return replace(data, generations={"g0": without_identity}, endpoint=endpoint, also=more, imports=imports)


def flip(root: Root, stage: Stage, before: RootData, after: RootData, *, go: bool = True) -> None:
    with Gate(root.work) as gate:
        gated = replace(after, gate=str(gate.path))
        root.stages.apply_stage(stage, before, gated, root.write, AtGate(gate, lambda: go))


def with_green(root: Root, data: RootData) -> RootData:
    """Green, as far as records are concerned: a second instance that the root takes into its state."""
    rds = root.rds("rds")
    blue = rds.describe_db_instances(DBInstanceIdentifier=root.blue.identifier)["DBInstances"][0]
    kept = ("DBInstanceClass", "Engine", "EngineVersion", "AllocatedStorage", "StorageType", "MasterUsername")
    rds.create_db_instance(
        DBInstanceIdentifier="shop-db-g1", MasterUserPassword="any-password", StorageEncrypted=True,
        KmsKeyId=blue["KmsKeyId"], **{name: blue[name] for name in kept},
    )  # fmt: skip
    green = root.aws.rds.instance("shop-db-g1")
    assert green is not None
    spec = DatabaseSpec("shop-db-g1", green.settings, kms_key_arn=green.kms_key_arn, tags=green.tags)
    after = edits.with_generation(data, "g1", database=spec)
    after = replace(after, imports=replace(after.imports, databases={"g1": "shop-db-g1"}))
    root.apply(Stage.GREEN, data, after)
    return edits.without_imports(after)


@pytest.mark.parametrize("spelled", ["{0}.", "{1}", "{1}."], ids=["dot", "upper", "both"])
def test_a_record_is_adopted_as_it_is_spelled(root: Root, spelled: str) -> None:
    zone, address = root.adopted.endpoint.zone_id, root.blue.address or ""
    value = spelled.format(address, address.replace("shop-db", "Shop-DB"))
    put(root, zone, NAME, value, root.adopted.endpoint.ttl)
    found = root.aws.dns.record(zone, NAME)
    assert found is not None
    assert found.written == (value,)

    with pytest.raises(Blocked) as refused:  # what adopting it in any other spelling comes to
        root.apply(Stage.ADOPT, imported(root), imported(root))
    assert "records" in refused.value.what

    data = imported(root, spelling=found.written[0])
    assert RECORD in root.apply(Stage.ADOPT, data, data)
    root.write(edits.without_imports(data))
    root.stages.check_clean()
    assert values(root, zone) == {f"{NAME}.": (value, root.adopted.endpoint.ttl)}


@pytest.mark.matrix
def test_records_in_several_zones_flip_behind_one_gate_and_back(root: Root) -> None:
    zone, address = root.adopted.endpoint.zone_id, root.blue.address or ""
    other = root.rds("route53").create_hosted_zone(Name="old.internal", CallerReference="o")["HostedZone"]["Id"]
    other = other.rpartition("/")[2]
    put(root, zone, "legacy.shop.internal", address)
    put(root, other, "db.old.internal", f"{address}.", 600)
    more = (
        EndpointSpec(zone, "legacy.shop.internal", 300),
        EndpointSpec(other, "db.old.internal", 600, f"{address}."),
    )
    first = imported(root, *more)
    assert {also(each.key) for each in more} <= root.apply(Stage.ADOPT, first, first).keys()
    start = edits.without_imports(first)
    root.write(start)
    root.stages.check_clean()

    lowered = edits.with_ttl(start, 5)
    assert root.apply(Stage.LOWER_TTL, start, lowered).keys() == {RECORD, *(also(each.key) for each in more)}
    before = with_green(root, lowered)
    after = edits.serving(before, "g1")
    with pytest.raises(Blocked, match="called off at the gate"):
        flip(root, Stage.CUTOVER, before, after, go=False)
    held = {**values(root, zone), **values(root, other)}
    assert {value for value, _ in held.values()} == {address, f"{address}."}, "the gate is in front of all of them"

    flip(root, Stage.CUTOVER, before, after)
    green = root.aws.rds.instance("shop-db-g1")
    assert green is not None
    held = {**values(root, zone), **values(root, other)}
    assert len(held) == 3
    assert set(held.values()) == {(green.address, 5)}
    back = edits.serving(after, "g0")
    flip(root, Stage.ROLLBACK_CUTOVER, after, back)
    restored = replace(back, endpoint=start.endpoint, also=start.also, gate=None)
    root.apply(Stage.RESTORE_TTL, back, restored)
    root.stages.check_clean()
    held = {**values(root, zone), **values(root, other)}
    assert held == {
        "db.shop.internal.": (address, start.endpoint.ttl),
        "legacy.shop.internal.": (address, 300),
        "db.old.internal.": (f"{address}.", 600),
    }


def test_a_change_of_a_further_record_is_refused_in_any_other_stage(root: Root) -> None:
    zone, address = root.adopted.endpoint.zone_id, root.blue.address or ""
    put(root, zone, "legacy.shop.internal", address)
    first = imported(root, EndpointSpec(zone, "legacy.shop.internal", 300))
    root.apply(Stage.ADOPT, first, first)
    start = edits.without_imports(first)
    put(root, zone, "legacy.shop.internal", "elsewhere.example.com")
    with pytest.raises(Blocked) as refused:
        root.apply(Stage.LOWER_TTL, start, edits.with_ttl(start, 5))
    assert also(first.also[0].key) in refused.value.what
    assert GATE not in refused.value.what
