"""One key in the roots of two envs: what the other env has done to it is recognised, and said beforehand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import BLUE, OLD_KEY, FakeKms, FakeRds, Killed, World, instance, make_snapshot, new_world
from rotations import phase, services

from rotator.commands.plan import plan
from rotator.commands.retirement import retire
from rotator.commands.rotation import rollback, rotate
from rotator.domain.aws import Key
from rotator.domain.errors import AwsError, Blocked, Interrupted
from rotator.domain.root import Stage
from rotator.journal.document import Phase
from rotator.journal.local import local_keeper
from rotator.rotation.steps.context import Options


def kept(tmp_path: Path) -> World:
    """This env has retired its database, and kept the key for another one that has gone since."""
    world = new_world()
    world.instances["billing-db"] = instance("billing-db", OLD_KEY, {}, {})
    rotate(services(world, tmp_path), Options())
    retire(services(world, tmp_path), Options())
    assert phase(tmp_path) is Phase.KEY_KEPT
    del world.instances["billing-db"]
    return world


def by_the_other_env(world: World, state: str) -> None:
    if state == "gone":
        del world.keys[OLD_KEY]
    else:
        world.keys[OLD_KEY] = replace(world.keys[OLD_KEY], state=state)


@pytest.mark.parametrize("state", ["PendingDeletion", "gone"])
@pytest.mark.parametrize("verb", ["rotate", "retire"])
def test_a_kept_key_that_another_env_scheduled_leaves_the_root(tmp_path: Path, state: str, verb: str) -> None:
    world = kept(tmp_path)
    by_the_other_env(world, state)
    with pytest.raises(Blocked) as caught:
        plan(services(world, tmp_path))
    assert caught.value.code == "kept-key-gone"
    found = services(world, tmp_path)
    if verb == "rotate":
        rotate(found, Options())
        assert world.record.values[0].startswith(f"{BLUE}-g2.")
    else:
        retire(found, Options())
        assert phase(tmp_path) is Phase.RETIRED
    assert any(OLD_KEY in note for note in found.reporter.said("note"))  # type: ignore[attr-defined]
    root = local_keeper("shop", tmp_path).load().root
    assert root is not None
    assert "g0" not in root.generations


@pytest.mark.parametrize("verb", [rotate, retire])
def test_while_something_needs_a_scheduled_key_it_says_how_to_save_it(tmp_path: Path, verb: object) -> None:
    world = kept(tmp_path)
    FakeRds(world).create_snapshot(f"{BLUE}-g1", "audit", {})
    world.snapshots["audit"] = replace(world.snapshots["audit"], kms_key_arn=OLD_KEY)
    by_the_other_env(world, "PendingDeletion")
    with pytest.raises(Blocked) as caught:
        verb(services(world, tmp_path), Options())  # type: ignore[operator]
    assert caught.value.code == "kept-key-scheduled"
    assert "cancel-key-deletion" in caught.value.fix
    assert "audit" in caught.value.details[0]


def under_way(tmp_path: Path, at: str) -> World:
    """The next rotation: it soaks, or is stopped before its flip, with blue fenced."""
    world = kept(tmp_path)
    FakeRds(world).create_snapshot(f"{BLUE}-g1", "audit", {})
    world.snapshots["audit"] = replace(world.snapshots["audit"], kms_key_arn=OLD_KEY)
    if at == "fenced":
        world.fail["copy_snapshot"] = KeyboardInterrupt()  # type: ignore[assignment]
        with pytest.raises(Interrupted):
            rotate(services(world, tmp_path), Options())
        assert world.data[f"{BLUE}-g1"].fenced_by is not None
    else:
        rotate(services(world, tmp_path), Options())
    return world


class DeniedKms(FakeKms):
    def key(self, key_id: str) -> Key | None:
        if key_id == OLD_KEY:
            raise AwsError("kms:DescribeKey is denied.", fix="Allow kms:DescribeKey.", code="aws-access-denied")
        return super().key(key_id)


@pytest.mark.parametrize("at", ["fenced", "soaking"])
@pytest.mark.parametrize("state", ["PendingDeletion", "gone", "denied", "Disabled"])
def test_no_kept_key_stops_a_rollback(tmp_path: Path, at: str, state: str) -> None:
    world = under_way(tmp_path, at)
    found = services(world, tmp_path)
    if state == "denied":
        found = replace(found, kms=DeniedKms(world))
    else:
        by_the_other_env(world, state)
    applied = len(world.applied)
    rollback(found, Options(lose_writes=True))
    assert world.write("on blue again")
    said = " ".join(found.reporter.said("note"))  # type: ignore[attr-defined]
    assert ("cancel-key-deletion" in said and "audit" in said) is (state == "PendingDeletion")
    assert (Stage.RETIRE_KEY in world.applied[applied:]) is (state in ("PendingDeletion", "gone"))


def test_blue_takes_writes_before_a_kept_key_is_seen_to(tmp_path: Path) -> None:
    world = under_way(tmp_path, "fenced")
    by_the_other_env(world, "PendingDeletion")
    found = services(world, tmp_path)
    real = found.stages.apply

    def apply(*args: Any) -> bool:
        assert world.data[f"{BLUE}-g1"].fenced_by is None
        return real(*args)

    found.stages.apply = apply  # type: ignore[method-assign]
    rollback(found, Options())


@pytest.mark.parametrize("state", ["PendingDeletion", "gone", "denied", "Disabled"])
def test_no_kept_key_stops_a_rotation_that_goes_on(tmp_path: Path, state: str) -> None:
    world = under_way(tmp_path, "fenced")
    found = services(world, tmp_path)
    if state == "denied":
        found = replace(found, kms=DeniedKms(world))
    else:
        by_the_other_env(world, state)
    rotate(found, Options())
    assert world.record.values[0].startswith(f"{BLUE}-g2.")
    if state == "Disabled":
        assert world.keys[OLD_KEY].state == state


def test_a_scheduled_key_with_something_under_it_is_not_forgotten(tmp_path: Path) -> None:
    world = under_way(tmp_path, "soaking")
    by_the_other_env(world, "PendingDeletion")
    rollback(services(world, tmp_path), Options(lose_writes=True))
    with pytest.raises(Blocked, match="cannot be read without it") as caught:
        retire(services(world, tmp_path), Options())
    assert "audit" in caught.value.details[0]
    by_the_other_env(world, "Enabled")
    retire(services(world, tmp_path), Options())


@pytest.mark.parametrize("verb", ["rollback", "rotate"])
def test_a_kill_while_a_key_is_taken_out_is_gone_on_with(tmp_path: Path, verb: str) -> None:
    world = under_way(tmp_path, "fenced")
    del world.snapshots["audit"]
    by_the_other_env(world, "PendingDeletion")
    world.fail["schedule"] = Killed()  # type: ignore[assignment]
    act = rollback if verb == "rollback" else rotate
    with pytest.raises(Killed):
        act(services(world, tmp_path), Options())
    assert local_keeper("shop", tmp_path).load().pending is not None
    act(services(world, tmp_path), Options())
    root = local_keeper("shop", tmp_path).load().root
    assert root is not None
    assert "g0" not in root.generations


def test_plan_takes_note_of_a_kept_key_that_was_disabled(tmp_path: Path) -> None:
    world = kept(tmp_path)
    by_the_other_env(world, "Disabled")
    plan(services(world, tmp_path))
    root = local_keeper("shop", tmp_path).load().root
    assert root is not None
    key = root.generations["g0"].key
    assert key is not None
    assert not key.is_enabled


@pytest.mark.parametrize("state", ["Disabled", "Enabled"])
def test_a_kept_key_that_another_env_disabled_or_enabled_stays_so(tmp_path: Path, state: str) -> None:
    world = kept(tmp_path)
    by_the_other_env(world, state)
    rotate(services(world, tmp_path), Options())
    assert world.keys[OLD_KEY].state == state


def test_the_key_of_a_rotation_that_was_taken_back_may_be_scheduled_too(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    rollback(services(world, tmp_path), Options(lose_writes=True))
    new_key = next(arn for arn in world.keys if arn != OLD_KEY)
    assert world.keys[new_key].state == "Enabled"  # the snapshots that were kept lie under it
    world.snapshots = {name: s for name, s in world.snapshots.items() if s.kms_key_arn != new_key}
    world.keys[new_key] = replace(world.keys[new_key], state="PendingDeletion")
    rotate(services(world, tmp_path), Options())
    assert world.record.values[0].startswith(f"{BLUE}-g2.")


def test_another_database_under_the_key_is_told_before_it_is_adopted(tmp_path: Path) -> None:
    world = new_world()
    world.instances["billing-db"] = instance("billing-db", OLD_KEY, {}, {})
    world.snapshots["billing-monthly"] = make_snapshot("billing-monthly", "billing-db", OLD_KEY, {})
    warnings = plan(services(world, tmp_path)).warnings
    told = next(line for line in warnings if "Other databases use blue's key" in line)
    assert "billing-db" in told
    assert "billing-monthly" in told
    assert "adopt = false" in told
    rotate(services(world, tmp_path), Options())
    retire(services(world, tmp_path), Options())
    assert world.keys[OLD_KEY].state == "Enabled"
