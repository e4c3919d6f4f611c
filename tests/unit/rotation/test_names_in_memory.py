"""Names on a world in memory: several records that flip as one, split horizon, resolvers that do not follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_channels import Replication
from fakes import BLUE, REGION, Killed, World, new_world, record_at
from rotations import phase, services

from rotator.commands.plan import plan
from rotator.commands.retirement import retire
from rotator.commands.rotation import rollback, rotate
from rotator.commands.services import Services
from rotator.commands.status import status
from rotator.domain.aws import Record
from rotator.domain.errors import (
    AwsCredentialsError,
    AwsError,
    AwsUnreachable,
    Blocked,
    DatabaseUnreachable,
    TerraformError,
)
from rotator.domain.root import Stage
from rotator.journal.document import Phase
from rotator.journal.local import local_keeper
from rotator.network.interface import CnameAnswer
from rotator.report.status import render
from rotator.rotation.steps.context import Options

GREEN = f"{BLUE}-g1"
NAME, LEGACY = "db.example.internal", "legacy.example.internal"
AT_BLUE, AT_GREEN = (f"{name}.abc.{REGION}.rds.amazonaws.com" for name in (BLUE, GREEN))
STRATEGIES = ("snapshot", "replicate")


def world_with(*others: Record, strategy: str = "snapshot") -> World:
    world = new_world()
    world.others = list(others)
    world.replication = Replication() if strategy == "replicate" else None
    return world


def cname(name: str, zone: str = "Z1", value: str = AT_BLUE, ttl: int = 300, **fields: Any) -> Record:
    return Record(zone, name, "CNAME", ttl, (value.removesuffix("."),), written=(value,), **fields)


def bench_with(world: World, folder: Path, *, dns: dict[str, Any] | None = None, **rotation: Any) -> Services:
    found = services(world, folder, **rotation)
    document = found.env.config.model_dump(exclude_unset=True)
    config = type(found.env.config).model_validate({**document, "dns": {**document["dns"], **(dns or {})}})
    return replace(found, env=found.env.model_copy(update={"config": config}))


def refused(world: World, folder: Path, code: str, *words: str, **dns: Any) -> Blocked:
    """Preflight says no, with this one code, and nothing was made."""
    before = world.effects
    with pytest.raises(Blocked) as caught:
        rotate(bench_with(world, folder, dns=dns), Options())
    assert caught.value.code == code, caught.value.details
    text = " ".join((caught.value.what, caught.value.why, caught.value.fix))
    assert [word for word in words if word not in text] == []
    assert world.effects == before
    return caught.value


# --- further records --------------------------------------------------------------------------------------------------


def test_a_record_that_leads_to_blue_is_named_and_needs_a_decision(tmp_path: Path) -> None:
    world = world_with(cname(LEGACY), cname("via.example.internal", value=NAME))
    fault = refused(world, tmp_path, "other-records", LEGACY, f'also = ["{LEGACY}"]')
    assert "via." not in fault.what, "what leads to the record follows by itself"
    shown = status(services(world, tmp_path))
    assert shown.at_blue == (f"{LEGACY} (CNAME in zone Z1)",)
    assert LEGACY in render(shown)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_further_records_flip_with_their_own_ttls_and_zones(tmp_path: Path, strategy: str) -> None:
    twin = cname(NAME, "Z2", ttl=600, private=True)
    world = world_with(cname(LEGACY), twin, strategy=strategy)
    dns = {"also": [LEGACY, NAME]}
    found = bench_with(world, tmp_path, dns=dns, strategy=strategy)
    real, ttls = found.stages.apply_through_gate, []

    def gate(*args: Any) -> bool:
        ttls.extend(each.ttl for each in (world.record, *world.others))
        return real(*args)

    found.stages.apply_through_gate = gate  # type: ignore[method-assign]
    rotate(found, Options())
    assert ttls == [5, 5, 5]
    assert [(each.values[0], each.ttl) for each in world.others] == [
        (AT_GREEN, 5),
        (AT_GREEN, 5),
    ]  # their own again after retire
    assert world.record.values == (AT_GREEN,)
    rollback(bench_with(world, tmp_path, dns=dns, strategy=strategy), Options(lose_writes=True))
    assert [(each.values[0], each.ttl) for each in world.others] == [(AT_BLUE, 300), (AT_BLUE, 600)]
    assert world.both_writable == 0


def test_the_longest_of_all_old_ttls_is_waited_for(tmp_path: Path) -> None:
    world = world_with(cname(LEGACY, ttl=7200))
    began = world.time
    rotate(bench_with(world, tmp_path, dns={"also": [LEGACY]}), Options())
    assert (world.time - began).total_seconds() > 7200


def test_a_record_named_later_is_taken_in_by_the_next_rotation(tmp_path: Path) -> None:
    world = world_with()
    rotate(services(world, tmp_path), Options())
    rollback(services(world, tmp_path), Options(lose_writes=True))
    world.others = [cname(LEGACY)]
    steps = {step.name: step.changes for step in plan(bench_with(world, tmp_path, dns={"also": [LEGACY]})).steps}
    address = f'module.endpoint.aws_route53_record.also["Z1/{LEGACY}"]'
    assert steps["adopt"] == (f"< {address}",)
    assert f"~ {address} (records)" in steps["cutover"]
    rotate(bench_with(world, tmp_path, dns={"also": [LEGACY]}), Options())
    line = next(s for s in status(services(world, tmp_path)).steps if s.name == "cutover")
    assert LEGACY in line.result
    assert world.others[0].values == (AT_GREEN.replace("-g1", "-g2"),)
    root = local_keeper("shop", tmp_path).load().root
    assert root is not None
    assert [each.name for each in root.also] == [LEGACY]


def halfway(found: Services, world: World, first: str) -> Services:
    """The apply flips one record, and fails at the other."""
    real = found.stages.apply_through_gate

    def apply(*args: Any) -> bool:
        record, others = world.record, list(world.others)
        real(*args)
        world.record, world.others = (world.record, others) if first == NAME else (record, world.others)
        raise TerraformError("the other record could not be changed")

    found.stages.apply_through_gate = apply  # type: ignore[method-assign]
    return found


@pytest.mark.parametrize("moved", [NAME, LEGACY])
def test_a_record_that_somebody_moved_meanwhile_is_not_flipped(tmp_path: Path, moved: str) -> None:
    world = world_with(cname(LEGACY))
    found = bench_with(world, tmp_path, dns={"also": [LEGACY]})
    real = found.stages.apply

    def apply(stage: Stage, *rest: Any) -> bool:
        done = real(stage, *rest)
        if stage is Stage.GREEN and moved == NAME:
            world.record = replace(world.record, values=("elsewhere.example.com",))
        elif stage is Stage.GREEN:
            world.others = [replace(world.others[0], values=("elsewhere.example.com",))]
        return done

    found.stages.apply = apply  # type: ignore[method-assign]
    with pytest.raises(Blocked, match=f"{moved} points at elsewhere.example.com"):
        rotate(found, Options())
    assert world.data[GREEN].fenced_by is not None


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("first", [NAME, LEGACY])
def test_a_rollback_that_flips_one_record_only_is_finished_by_the_next(
    tmp_path: Path, strategy: str, first: str
) -> None:
    world = world_with(cname(LEGACY), strategy=strategy)
    given: dict[str, Any] = {"dns": {"also": [LEGACY]}, "strategy": strategy}
    rotate(bench_with(world, tmp_path, **given), Options())
    assert world.write("on green")
    lose = Options(lose_writes=strategy == "snapshot")
    with pytest.raises(TerraformError):
        rollback(halfway(bench_with(world, tmp_path, **given), world, first), lose)
    assert world.both_writable == 0
    rollback(bench_with(world, tmp_path, **given), lose)
    assert (world.record.values[0], world.others[0].values[0]) == (AT_BLUE, AT_BLUE)
    assert world.both_writable == 0
    assert world.write("on blue")
    if strategy == "replicate":
        assert "on green" in world.serving_rows()
        assert len(world.replication.windows) == 2, "what is on blue already is not carried there again"


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("flipped_first", [NAME, LEGACY])
def test_an_apply_that_flips_one_record_only_is_finished_or_taken_back(
    tmp_path: Path, strategy: str, flipped_first: str
) -> None:
    """Whoever has followed writes on green; blue stays shut until every name is on one side again."""
    for way in (rotate, rollback):
        folder = tmp_path / f"{way.__name__}"
        folder.mkdir()
        world = world_with(cname(LEGACY), strategy=strategy)
        dns = {"also": [LEGACY]}
        found = bench_with(world, folder, dns=dns, strategy=strategy)
        with pytest.raises(TerraformError):
            rotate(halfway(found, world, flipped_first), Options())
        world.expire_leases()
        assert world.data[BLUE].fenced_by is not None, "one name is at green: blue must not open"
        world.data[GREEN].rows.append("written through the name that has flipped")
        way(bench_with(world, folder, dns=dns, strategy=strategy), Options(lose_writes=way is rollback))
        at = AT_GREEN if way is rotate else AT_BLUE
        assert (world.record.values[0], world.others[0].values[0]) == (at, at)
        assert world.both_writable == 0
        if strategy == "replicate" or way is rotate:
            assert "written through the name that has flipped" in world.serving_rows()


def test_retire_refuses_while_a_record_leads_to_blue(tmp_path: Path) -> None:
    world = world_with(cname(LEGACY))
    dns = {"leave": [LEGACY]}
    summary = rotate(bench_with(world, tmp_path, dns=dns), Options())
    assert any(LEGACY in note for note in summary.notes)
    assert status(bench_with(world, tmp_path, dns=dns)).at_blue
    with pytest.raises(Blocked, match=LEGACY) as caught:
        retire(bench_with(world, tmp_path, dns=dns), Options())
    assert caught.value.code == "records-at-blue"
    assert BLUE in world.instances
    world.others = [Record("Z1", "note.example.internal", "TXT", 60, (AT_BLUE,))]
    summary = retire(bench_with(world, tmp_path, dns=dns), Options())
    assert phase(tmp_path) is Phase.RETIRED
    check = next(s for s in status(services(world, tmp_path)).steps if s.name == "retire-check")
    assert "note.example.internal" in check.result


@pytest.mark.parametrize(
    ("record", "dns", "code", "word"),
    [
        (cname(LEGACY, routing_policy="weighted"), {}, "other-records", "weighted CNAME"),
        (cname(LEGACY, routing_policy="weighted"), {"also": [LEGACY]}, "also-not-plain", "weighted CNAME"),
        (cname(LEGACY, health_check="h-1"), {"also": [LEGACY]}, "also-not-plain", LEGACY),
        (cname(LEGACY, ttl=172800), {"also": [LEGACY]}, "also-not-plain", LEGACY),
        (cname(LEGACY, value=NAME), {"also": [LEGACY]}, "also-elsewhere", "follows by itself"),
        (Record("Z1", "_pg.example.internal", "SRV", 60, (f"0 0 5432 {AT_BLUE}",)), {}, "other-records", "SRV"),
    ],
)
def test_records_that_cannot_flip_are_refused(
    tmp_path: Path, record: Record, dns: dict[str, Any], code: str, word: str
) -> None:
    refused(world_with(record), tmp_path, code, word, **dns)


@pytest.mark.parametrize(
    "fault",
    [
        AwsError("AWS does not allow route53:ListHostedZones.", code="aws-access-denied"),
        AwsError("AWS throttles route53:ListHostedZones.", code="aws-throttled"),
        AwsUnreachable("No answer from https://route53.amazonaws.com."),
    ],
)
def test_zones_that_cannot_be_listed_are_told_and_block_only_what_needs_them(tmp_path: Path, fault: AwsError) -> None:
    world = world_with(cname(LEGACY))
    world.fail["list_zones"] = fault
    refused(world, tmp_path, "zones-not-listed", also=[LEGACY])
    summary = rotate(services(world, tmp_path), Options())
    assert any(f"could not be looked through: {fault.what}" in note for note in summary.notes)
    assert status(services(world, tmp_path)).at_blue == (f"not known: {fault.what}",)
    retire(services(world, tmp_path), Options())
    check = next(s for s in status(services(world, tmp_path)).steps if s.name == "retire-check")
    assert f"not known ({fault.what})" in check.result


@pytest.mark.parametrize("look", ["holders", "quotas"])
def test_looks_that_only_warn_do_not_stop_a_rotation(tmp_path: Path, look: str) -> None:
    world = world_with()
    world.fail[look] = AwsError("AWS throttles it.", code="aws-throttled")
    summary = rotate(services(world, tmp_path), Options())
    assert any("AWS throttles it." in note for note in summary.notes)


@pytest.mark.parametrize("look", ["holders", "quotas", "list_zones"])
def test_credentials_that_are_refused_stop_it_all_the_same(tmp_path: Path, look: str) -> None:
    world = world_with()
    world.fail[look] = AwsCredentialsError("AWS refuses the credentials.")
    with pytest.raises(AwsCredentialsError):
        rotate(services(world, tmp_path), Options())


def test_the_records_own_name_in_also_with_one_zone_is_told_and_stops_nothing(tmp_path: Path) -> None:
    world = world_with()
    dns = {"also": [NAME]}
    for _ in range(2):
        summary = rotate(bench_with(world, tmp_path, dns=dns), Options())
        assert any(f"[dns] also names {NAME}" in note for note in summary.notes)
        retire(bench_with(world, tmp_path, dns=dns), Options())
    world.others = [replace(world.record, zone_id="Z2")]
    summary = rotate(bench_with(world, tmp_path, dns=dns), Options())
    assert world.others[0].values == world.record.values, "a twin that came later is taken in"
    assert not any(f"[dns] also names {NAME}" in note for note in summary.notes)


# --- split horizon ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["CNAME", "A"])
def test_the_same_name_in_another_zone_needs_a_choice(tmp_path: Path, kind: str) -> None:
    other = replace(cname(NAME, "Z2", value="elsewhere.example.com", private=True), kind=kind)
    refused(world_with(other), tmp_path, "split-horizon", 'zone_id = "Z1" or "Z2"', "private")
    rotate(bench_with(world_with(other), tmp_path, dns={"private_zone": False}), Options())


def test_private_or_public_chooses_nothing_among_private_ones(tmp_path: Path) -> None:
    other = cname(NAME, "Z2", value="elsewhere.example.com", private=False)
    refused(world_with(other), tmp_path, "split-horizon", private_zone=False)


def test_an_id_chooses_and_the_other_ones_record_at_blue_is_still_named(tmp_path: Path) -> None:
    world = world_with(cname(NAME, "Z2", private=True))
    refused(world, tmp_path, "other-records", f"{NAME} (CNAME in zone Z2)", zone_id="Z1")
    rotate(bench_with(world, tmp_path, dns={"zone_id": "Z1", "leave": [NAME]}), Options())


def test_the_wrong_zone_is_seen_before_anything_is_made(tmp_path: Path) -> None:
    world = world_with()
    world.resolves[NAME] = CnameAnswer("elsewhere.example.com", 60)
    refused(world, tmp_path, "resolver-elsewhere", "elsewhere.example.com", "zone_id")
    world.resolves[NAME] = None
    refused(world, tmp_path, "resolver-elsewhere")
    world.resolves[NAME] = DatabaseUnreachable("no answer from 10.0.0.2")
    refused(world, tmp_path, "resolver-silent", '"none"')


def test_a_root_that_holds_the_wrong_zones_record_can_be_handed_the_right_one(tmp_path: Path) -> None:
    world = world_with(cname(NAME, "Z2"))
    choice = {"zone_id": "Z1", "leave": [NAME]}
    rotate(bench_with(world, tmp_path, dns=choice), Options())
    rollback(bench_with(world, tmp_path, dns=choice), Options(lose_writes=True))
    right = {"zone_id": "Z2", "also": [NAME]}
    refused(world, tmp_path, "another-record", "terraform state rm", **right)
    world.state.discard("module.endpoint.aws_route53_record.this")
    rotate(bench_with(world, tmp_path, dns=right), Options())
    root = local_keeper("shop", tmp_path).load().root
    assert root is not None
    assert [each.zone_id for each in root.names] == ["Z2", "Z1"]
    assert {each.values[0] for each in (world.record, *world.others)} == {AT_GREEN.replace("-g1", "-g2")}


# --- resolvers --------------------------------------------------------------------------------------------------------


def clinging(world: World, *, ttl: Callable[[], int], target: Callable[[], str] = lambda: AT_BLUE) -> None:
    """A resolver with a cache of its own mind."""

    class Resolves(dict[str, Any]):
        def __contains__(self, name: object) -> bool:
            return name == NAME

        def __getitem__(self, name: str) -> CnameAnswer:
            return CnameAnswer(target(), ttl())

    world.resolves = Resolves()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_before_the_fence_the_lowered_ttl_must_have_been_seen(tmp_path: Path, strategy: str) -> None:
    world = world_with(strategy=strategy)
    clinging(world, ttl=lambda: 3600)
    with pytest.raises(Blocked) as caught:
        rotate(services(world, tmp_path, strategy=strategy), Options())
    assert caught.value.code == "resolver-not-following"
    assert "3600 s, not 5" in caught.value.what
    assert world.data[BLUE].fenced_by is None
    assert world.write("all the while")
    world.resolves = {}
    rotate(services(world, tmp_path, strategy=strategy), Options())
    assert world.record.values == (AT_GREEN,)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_cache_that_keeps_answers_longer_is_not_taken_in_by_its_last_seconds(tmp_path: Path, strategy: str) -> None:
    world = world_with(strategy=strategy)
    clinging(world, ttl=lambda: 60 - int(world.time.timestamp()) % 60)
    with pytest.raises(Blocked) as caught:
        rotate(services(world, tmp_path, strategy=strategy), Options())
    assert caught.value.code == "resolver-not-following"
    assert world.data[BLUE].fenced_by is None


@pytest.mark.parametrize("approved", [False, True])
def test_the_operator_is_asked_to_stop_writers_only_when_the_resolver_follows(tmp_path: Path, approved: bool) -> None:
    world = world_with()
    clinging(world, ttl=lambda: 3600)
    with pytest.raises(Blocked) as caught:
        rotate(services(world, tmp_path, access="none"), Options(approvals=frozenset({"fenced"} if approved else ())))
    assert caught.value.code == "resolver-not-following"


def test_replicate_takes_the_flip_back_when_the_resolver_stays(tmp_path: Path) -> None:
    world = world_with(strategy="replicate")
    clinging(world, ttl=lambda: 5)
    found = services(world, tmp_path, strategy="replicate")
    real = found.stages.apply_through_gate

    def then_someone_writes(*args: Any) -> bool:
        done = real(*args)
        if world.record.values == (AT_GREEN,):
            assert world.write("by one whose resolver follows")
        return done

    found.stages.apply_through_gate = then_someone_writes  # type: ignore[method-assign]
    with pytest.raises(Blocked) as caught:
        rotate(found, Options())
    assert caught.value.code == "flipped-back"
    assert world.record.values == (AT_BLUE,)
    assert world.data[GREEN].fenced_by is not None
    assert world.write("by everybody")
    assert {"by one whose resolver follows", "by everybody"} <= set(world.serving_rows())
    assert world.both_writable == 0
    assert any("takes writes" in line for line in caught.value.details)

    with pytest.raises(Blocked, match="taken back"):
        rotate(services(world, tmp_path, strategy="replicate"), Options())
    assert world.write("still")
    assert status(services(world, tmp_path, strategy="replicate")).next_command == "rotator rollback shop"
    rollback(services(world, tmp_path, strategy="replicate"), Options())
    assert phase(tmp_path) is Phase.ROLLED_BACK
    assert GREEN not in world.instances
    assert {"by one whose resolver follows", "by everybody", "still"} <= set(world.serving_rows())


def test_snapshot_says_at_once_what_to_do_and_green_takes_writes(tmp_path: Path) -> None:
    world = world_with()
    clinging(world, ttl=lambda: 5)
    with pytest.raises(Blocked) as caught:
        rotate(services(world, tmp_path), Options())
    assert caught.value.code == "dns-not-green"
    assert "rotator rollback shop" in caught.value.fix
    assert world.write("on green")
    assert world.both_writable == 0
    world.resolves = {}
    rotate(services(world, tmp_path), Options())
    assert "on green" in world.serving_rows()


def test_a_silent_resolver_after_the_flip_takes_nothing_back(tmp_path: Path) -> None:
    world = world_with(strategy="replicate")
    found = services(world, tmp_path, strategy="replicate")
    real = found.stages.apply_through_gate

    def then_silence(*args: Any) -> bool:
        done = real(*args)
        world.resolves[NAME] = DatabaseUnreachable("no answer from 10.0.0.2")
        return done

    found.stages.apply_through_gate = then_silence  # type: ignore[method-assign]
    with pytest.raises(Blocked) as caught:
        rotate(found, Options())
    assert caught.value.code == "dns-not-green"
    assert world.record.values == (AT_GREEN,)
    assert world.write("on green")


@pytest.mark.parametrize("cut_off", [False, True])
def test_a_flip_that_cannot_be_taken_back_is_told_with_writes_possible(tmp_path: Path, cut_off: bool) -> None:
    world = world_with(strategy="replicate")
    clinging(world, ttl=lambda: 5)
    found = services(world, tmp_path, strategy="replicate")
    real = found.stages.apply_through_gate

    def once(stage: Any, before: Any, after: Any, write: Any, progress: Any, decide: Any) -> bool:
        if world.record.values != (AT_GREEN,):
            return real(stage, before, after, write, progress, decide)
        if cut_off:
            assert decide()
        raise TerraformError("no state today")

    found.stages.apply_through_gate = once  # type: ignore[method-assign]
    with pytest.raises(Blocked) as caught:
        rotate(found, Options())
    assert caught.value.code == "dns-not-green"
    assert any("no state today" in line for line in caught.value.details)
    assert world.both_writable == 0
    assert world.write("on green") is not cut_off
    if cut_off:  # those whose resolver stayed are acknowledged on blue: green must not open any more
        assert "takes writes" in caught.value.why
        assert world.data[BLUE].fenced_by is None
        world.data[BLUE].rows.append("on blue meanwhile")
    with pytest.raises(Blocked, match="taken back"):
        rotate(services(world, tmp_path, strategy="replicate"), Options())
    rollback(services(world, tmp_path, strategy="replicate"), Options())
    assert world.record.values == (AT_BLUE,)
    assert world.write("on blue")
    assert ("on blue meanwhile" if cut_off else "on green") in world.serving_rows()


def test_killed_while_the_flip_is_taken_back_rollback_finishes_it(tmp_path: Path) -> None:
    (tmp_path / "count").mkdir()
    first, total = 0, 0
    world = world_with(strategy="replicate")
    clinging(world, ttl=lambda: 5)
    found = services(world, tmp_path / "count", strategy="replicate")
    real = found.stages.apply_through_gate

    def counted(*args: Any) -> bool:
        nonlocal first
        done = real(*args)
        first = first or world.effects
        return done

    found.stages.apply_through_gate = counted  # type: ignore[method-assign]
    with pytest.raises(Blocked):
        rotate(found, Options())
    total = world.effects
    assert total > first > 0
    for number in range(first + 1, total + 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        world = world_with(strategy="replicate")
        clinging(world, ttl=lambda: 5)
        world.kill_at, world.kill_after = number, number % 2 == 0
        with pytest.raises(Killed):
            rotate(services(world, folder, strategy="replicate"), Options())
        world.kill_at = None
        rollback(services(world, folder, strategy="replicate"), Options())
        assert world.record.values == (AT_BLUE,)
        assert world.write("after all")
        assert world.both_writable == 0


def test_without_a_resolver_to_ask_nothing_is_checked_and_that_is_said(tmp_path: Path) -> None:
    world = world_with()
    world.resolves[NAME] = DatabaseUnreachable("not to be asked")
    summary = rotate(bench_with(world, tmp_path, dns={"resolver": "none"}), Options())
    assert any("not checked" in note for note in summary.notes)
    line = next(s for s in status(services(world, tmp_path)).steps if s.name == "cutover")
    assert "not checked" in line.result


# --- spelling, TTL, an old root ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelled", [f"{AT_BLUE}.", AT_BLUE.upper()])
def test_a_value_is_kept_as_people_wrote_it(tmp_path: Path, spelled: str) -> None:
    world = world_with()
    world.record = replace(record_at(BLUE), values=(spelled.removesuffix("."),), written=(spelled,))
    rotate(services(world, tmp_path), Options())
    assert world.record.written == (AT_GREEN,)
    rollback(services(world, tmp_path), Options(lose_writes=True))
    assert world.record.written == (spelled,)


@pytest.mark.parametrize("ttl", [0, 172800])
def test_a_ttl_that_no_root_can_hold_is_refused(tmp_path: Path, ttl: int) -> None:
    world = world_with()
    world.record = replace(world.record, ttl=ttl)
    refused(world, tmp_path, "record-ttl", str(ttl))


def test_a_root_of_an_older_rotator_must_be_rendered_anew(tmp_path: Path) -> None:
    world = world_with()
    world.unlike = ("variables.tf",)
    refused(world, tmp_path, "render-differs", "rotator render shop")
