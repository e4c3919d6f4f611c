"""Whole rotations against a world in memory: in order, killed at every side effect, failing, retired, taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import (
    BLUE,
    OLD_KEY,
    FakeRds,
    Killed,
    RecordingReporter,
    World,
    new_world,
)
from rotations import phase, services

from rotator.commands.retirement import retire
from rotator.commands.rotation import rollback, rotate
from rotator.commands.status import status
from rotator.domain.errors import AwsError, Blocked, Interrupted, WaitingForApproval
from rotator.domain.root import Stage
from rotator.journal.document import Phase
from rotator.rotation.steps.context import Options

GREEN = f"{BLUE}-g1"
NEW_KEY = "arn:aws:kms:eu-central-1:123456789012:key/g1"


def assert_rotated(world: World) -> None:
    assert world.record.values[0].startswith(f"{GREEN}.")
    assert world.record.ttl == 5  # until retire: a rollback takes its clients along within seconds
    assert world.instances[GREEN].kms_key_arn == NEW_KEY
    assert world.data[BLUE].fenced_by is not None
    assert world.data[GREEN].fenced_by is None
    assert world.data[GREEN].rows[:2] == ["row 1", "row 2"]
    assert world.both_writable == 0


def test_a_rotation_ends_on_green_with_blue_fenced(tmp_path: Path) -> None:
    world = new_world()
    summary = rotate(services(world, tmp_path), Options())
    assert_rotated(world)
    assert summary.new_key_arn == NEW_KEY
    assert any("journal.json and generations.auto.tfvars.json" in note for note in summary.notes)
    assert summary.rows_verified == 2
    assert summary.write_pause_seconds is not None
    assert summary.write_pause_seconds > 0
    assert phase(tmp_path) is Phase.SOAKING
    assert world.applied == [
        Stage.ADOPT, Stage.LOWER_TTL, Stage.KEY, Stage.GREEN, Stage.CUTOVER, Stage.UNGATE,
    ]  # fmt: skip


def effects_of_a_rotation(tmp_path: Path) -> int:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    return world.effects


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_side_effect_the_next_run_finishes(tmp_path: Path, after: bool) -> None:
    (tmp_path / "count").mkdir()
    total = effects_of_a_rotation(tmp_path / "count")
    assert total >= 10
    for number in range(1, total + 1):
        folder = tmp_path / f"{after}-{number}"
        folder.mkdir()
        world = new_world()
        world.kill_at, world.kill_after = number, after
        with pytest.raises(Killed):
            rotate(services(world, folder), Options())
        rotate(services(world, folder), Options())
        assert_rotated(world)
        assert len([s for s in world.snapshots if "g1" in s]) == 2, number


def test_a_failure_between_fence_and_flip_lifts_the_fence(tmp_path: Path) -> None:
    world = new_world()
    world.fail["copy_snapshot"] = AwsError("CopyDBSnapshot failed")
    with pytest.raises(AwsError) as caught:
        rotate(services(world, tmp_path), Options())
    assert world.data[BLUE].fenced_by is None
    assert any("takes writes again" in line for line in caught.value.details)
    assert world.write("after the failure")
    # The snapshot is older than that write: going on would lose it.
    with pytest.raises(Blocked, match="lifted"):
        rotate(services(world, tmp_path), Options())
    rollback(services(world, tmp_path), Options())
    assert phase(tmp_path) is Phase.ROLLED_BACK
    rotate(services(world, tmp_path), Options())
    assert "after the failure" in world.serving_rows()


def test_a_failure_before_anything_was_built_on_the_fence_can_just_be_run_again(tmp_path: Path) -> None:
    world = new_world()
    world.fail["fence"] = Blocked("budget")
    with pytest.raises(Blocked, match="budget"):
        rotate(services(world, tmp_path), Options())
    assert world.write("in between")
    rotate(services(world, tmp_path), Options())
    assert_rotated(world)


def test_a_bug_between_fence_and_flip_lifts_the_fence_too(tmp_path: Path) -> None:
    world = new_world()
    world.fail["create_snapshot"] = ZeroDivisionError("bug")
    with pytest.raises(ZeroDivisionError):
        rotate(services(world, tmp_path), Options())
    assert world.data[BLUE].fenced_by is None


def test_an_interrupt_keeps_the_fence_and_says_so(tmp_path: Path) -> None:
    world = new_world()
    world.fail["copy_snapshot"] = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(Interrupted) as caught:
        rotate(services(world, tmp_path), Options())
    assert world.data[BLUE].fenced_by is not None
    assert any("stays fenced" in line for line in caught.value.details)
    rotate(services(world, tmp_path), Options())
    assert_rotated(world)


def test_a_failed_flip_that_took_effect_keeps_blue_fenced(tmp_path: Path) -> None:
    world = new_world()
    bench_ = services(world, tmp_path)
    real = bench_.stages.apply_through_gate

    def flips_and_fails(*args: Any) -> bool:
        real(*args)
        raise AwsError("connection lost while waiting for INSYNC")

    bench_.stages.apply_through_gate = flips_and_fails  # type: ignore[method-assign]
    with pytest.raises(AwsError) as caught:
        rotate(bench_, Options())
    assert world.data[BLUE].fenced_by is not None
    assert world.both_writable == 0
    assert any("still fenced" in line for line in caught.value.details)
    rotate(services(world, tmp_path), Options())
    assert_rotated(world)


def test_a_copy_under_the_wrong_key_stops_before_green(tmp_path: Path) -> None:
    world = new_world()
    world.copy_key = OLD_KEY
    with pytest.raises(Blocked, match="not under the new key"):
        rotate(services(world, tmp_path), Options())
    assert GREEN not in world.instances


def test_a_row_changed_on_green_is_found_before_the_flip(tmp_path: Path) -> None:
    world = new_world()
    bench_ = services(world, tmp_path)
    restore = bench_.stages.apply

    def apply(*args: Any) -> bool:
        result = restore(*args)
        if GREEN in world.data:
            world.data[GREEN].rows[0] = "tampered"
        return result

    bench_.stages.apply = apply  # type: ignore[method-assign]
    with pytest.raises(Blocked) as caught:
        rotate(bench_, Options())
    assert caught.value.code == "validate-contents"
    assert world.record.values[0].startswith(f"{BLUE}.")
    assert world.data[BLUE].fenced_by is None


def test_retire_removes_blue_and_schedules_the_old_key(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    retire(services(world, tmp_path), Options())
    assert BLUE not in world.instances
    assert world.keys[OLD_KEY].state == "PendingDeletion"
    assert {s.kms_key_arn for s in world.snapshots.values()} == {NEW_KEY}
    assert phase(tmp_path) is Phase.RETIRED
    assert world.applied[-5:] == [
        Stage.UNPROTECT, Stage.RESTORE_TTL, Stage.RETIRE_DATABASE, Stage.DISABLE_KEY, Stage.RETIRE_KEY,
    ]  # fmt: skip


@pytest.mark.parametrize("after", [False, True])
def test_retire_killed_at_any_side_effect_finishes_and_never_loses_the_final_copy(tmp_path: Path, after: bool) -> None:
    (tmp_path / "count").mkdir()
    world = new_world()
    rotate(services(world, tmp_path / "count"), Options())
    before = world.effects
    retire(services(world, tmp_path / "count"), Options())
    total = world.effects - before
    for number in range(1, total + 1):
        folder = tmp_path / f"{after}-{number}"
        folder.mkdir()
        world = new_world()
        rotate(services(world, folder), Options())
        world.kill_at, world.kill_after = world.effects + number, after
        with pytest.raises(Killed):
            retire(services(world, folder), Options())
        retire(services(world, folder), Options())
        assert BLUE not in world.instances
        assert world.keys[OLD_KEY].state == "PendingDeletion"
        assert f"rotator-{BLUE}-g0-final-g1-reencrypted" in world.snapshots


def test_a_snapshot_that_must_be_kept_keeps_the_old_key(tmp_path: Path) -> None:
    world = new_world()
    rds = FakeRds(world)
    rds.create_snapshot(BLUE, "audit-2025", {})
    rotate(services(world, tmp_path), Options())
    summary = retire(services(world, tmp_path), Options())
    assert world.keys[OLD_KEY].state == "Disabled"
    assert any("audit-2025" in note for note in summary.notes)
    assert phase(tmp_path) is Phase.KEY_KEPT
    told = status(services(world, tmp_path)).old_key
    assert "audit-2025" in told, "what keeps the key must be told beside the command that comes after it"
    assert "can be scheduled from" not in told
    del world.snapshots["audit-2025"]
    retire(services(world, tmp_path), Options())
    assert world.keys[OLD_KEY].state == "PendingDeletion"
    assert phase(tmp_path) is Phase.RETIRED


def test_retire_refuses_while_the_soak_lasts_and_when_blue_took_writes(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path, soak="72h"), Options())
    with pytest.raises(Blocked, match="soak lasts"):
        retire(services(world, tmp_path), Options())
    world.time += timedelta(hours=73)
    world.data[BLUE].fenced_by = None
    with pytest.raises(Blocked, match="no longer fenced"):
        retire(services(world, tmp_path), Options())
    assert BLUE in world.instances


def test_rollback_before_the_flip_lets_writes_through_and_removes_green(tmp_path: Path) -> None:
    world = new_world()
    world.kill_at = next(n for n in range(1, 50) if _dies_at(n, tmp_path) == "record-2")
    with pytest.raises(Killed):
        rotate(services(world, tmp_path / "run"), Options())
    # Green had been opened at the gate: whether anything was written on it is for a person to judge.
    with pytest.raises(WaitingForApproval):
        rollback(services(world, tmp_path / "run"), Options())
    rollback(services(world, tmp_path / "run"), Options(lose_writes=True))
    assert world.write("after the rollback")
    assert GREEN not in world.instances
    assert world.record.ttl == 60
    # The copy and green's last state are kept, so their key is kept.
    assert world.keys[NEW_KEY].state == "Enabled"
    assert len(world.snapshots) == 3


def _dies_at(number: int, tmp_path: Path) -> str:
    folder = tmp_path / f"probe-{number}"
    folder.mkdir()
    (tmp_path / "run").mkdir(exist_ok=True)
    world = new_world()
    world.kill_at = number
    try:
        rotate(services(world, folder), Options())
    except Killed as killed:
        flips = world.applied.count(Stage.LOWER_TTL) + 1
        return f"{killed}-{flips}"
    return "none"


def test_rollback_with_delete_snapshots_leaves_nothing_behind(tmp_path: Path) -> None:
    world = new_world()
    world.fail["restore"] = AwsError("no capacity")
    with pytest.raises(AwsError):
        rotate(services(world, tmp_path), Options())
    rollback(services(world, tmp_path), Options(delete_snapshots=True))
    assert not world.snapshots
    assert world.keys[NEW_KEY].state == "PendingDeletion"
    assert GREEN not in world.instances


def test_rollback_after_the_flip_asks_first_and_keeps_greens_data(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    assert world.write("only on green")
    with pytest.raises(WaitingForApproval) as caught:
        rollback(services(world, tmp_path), Options())
    assert "--confirm shop" in caught.value.fix
    assert "A snapshot of green is kept" in caught.value.why
    with pytest.raises(WaitingForApproval, match="loses what was written") as caught:
        rollback(services(world, tmp_path), Options(delete_snapshots=True))
    assert "no snapshot of green is kept" in caught.value.why
    assert phase(tmp_path) is Phase.SOAKING
    rollback(services(world, tmp_path), Options(lose_writes=True))
    assert world.record.values[0].startswith(f"{BLUE}.")
    assert world.write("on blue again")
    assert GREEN not in world.instances
    kept = world.snapshot_data[f"rotator-{BLUE}-g1-rolled-back"]
    assert "only on green" in kept.rows
    assert world.both_writable == 0


def test_a_second_rotation_takes_the_next_generation(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    rotate(services(world, tmp_path), Options())
    assert world.record.values[0].startswith(f"{BLUE}-g2.")
    assert world.instances[f"{BLUE}-g2"].kms_key_arn == NEW_KEY.replace("g1", "g2")
    assert world.both_writable == 0


def test_without_access_the_operator_fences_and_sql_steps_are_skipped_not_passed(tmp_path: Path) -> None:
    world = new_world()
    reporter = RecordingReporter()
    with pytest.raises(WaitingForApproval, match="stop all writes"):
        rotate(services(world, tmp_path, reporter, access="none"), Options())
    assert not world.snapshots
    summary = rotate(services(world, tmp_path, reporter, access="none"), Options(approvals=frozenset({"fenced"})))
    assert world.record.values[0].startswith(f"{GREEN}.")
    assert reporter.said("skipped") == ["validate"]
    assert summary.rows_verified is None
    assert any("skipped validate" in note for note in summary.notes)


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_side_effect_a_rollback_brings_everything_back(tmp_path: Path, after: bool) -> None:
    (tmp_path / "count").mkdir()
    total = effects_of_a_rotation(tmp_path / "count")
    for number in range(1, total + 1):
        folder = tmp_path / f"{after}-{number}"
        folder.mkdir()
        world = new_world()
        world.kill_at, world.kill_after = number, after
        with pytest.raises(Killed):
            rotate(services(world, folder), Options())
        rollback(services(world, folder), Options(delete_snapshots=True, lose_writes=True))
        assert world.record.values[0].startswith(f"{BLUE}."), number
        assert world.record.ttl == 60
        assert world.write("after the rollback")
        assert list(world.instances) == [BLUE], number
        assert not world.snapshots, number
        assert world.both_writable == 0
        rotate(services(world, folder), Options())
        assert world.record.values[0].startswith(f"{BLUE}-g2."), number


def test_numbers_given_out_past_the_fence_are_not_given_out_again(tmp_path: Path) -> None:
    world = new_world()
    bench_ = services(world, tmp_path)
    real = bench_.stages.apply_through_gate

    def with_a_late_nextval(*args: Any) -> bool:
        world.data[BLUE].sequences["shop.public.item_id_seq"] = 7
        return real(*args)

    bench_.stages.apply_through_gate = with_a_late_nextval  # type: ignore[method-assign]
    rotate(bench_, Options())
    assert world.data[GREEN].sequences["shop.public.item_id_seq"] == 7


def test_another_database_in_rotation_toml_is_refused_once_one_is_adopted(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    bench_ = services(world, tmp_path)
    database = bench_.env.config.database.model_copy(update={"identifier": "other-db"})
    config = bench_.env.config.model_copy(update={"database": database})
    other = replace(bench_, env=bench_.env.model_copy(update={"config": config}))
    with pytest.raises(Blocked) as caught:
        rotate(other, Options())
    assert caught.value.code == "another-database"


def test_a_rotation_that_was_refused_before_adoption_takes_a_corrected_config(tmp_path: Path) -> None:
    world = new_world()
    bench_ = services(world, tmp_path)

    def refuses(stage: Any, before: Any, after: Any, write: Any, progress: Any) -> bool:
        write(after)
        write(before)
        raise Blocked("the plan is refused", code="plan-firewall")

    bench_.stages.apply = refuses  # type: ignore[method-assign]
    with pytest.raises(Blocked, match="refused"):
        rotate(bench_, Options())
    world.record = replace(world.record, values=("elsewhere.example.com",))
    with pytest.raises(Blocked, match="points at"):
        rotate(services(world, tmp_path), Options())
    assert not (tmp_path / "generations.auto.tfvars.json").exists()


def test_the_own_ttl_is_back_once_no_rollback_can_need_the_short_one(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    assert world.record.ttl == 5
    retire(services(world, tmp_path), Options())
    assert world.record.ttl == 60


def test_a_rollback_during_the_soak_restores_the_own_ttl_after_its_flip(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    rollback(services(world, tmp_path), Options(lose_writes=True, delete_snapshots=True))
    assert Stage.RESTORE_TTL not in world.applied
    assert world.record.ttl == 60
