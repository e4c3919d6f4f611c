"""What a hostile world does between two runs: each of these once lost a write, a way back, or somebody's hours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from fakes import BLUE, OLD_KEY, Data, FakeRds, Killed, World, instance, make_snapshot, new_world
from rotations import phase, services

from rotator.boundary import run
from rotator.commands.retirement import retire, waiting
from rotator.commands.rotation import rollback, rotate, taken_back
from rotator.commands.services import Services
from rotator.domain.errors import (
    AwsError,
    Blocked,
    DatabaseError,
    Interrupted,
    RotatorError,
    TerraformError,
    TerraformStateLocked,
    WaitingForApproval,
)
from rotator.domain.root import Imports, Stage
from rotator.journal.document import Journal, Phase
from rotator.journal.local import local_keeper
from rotator.report.summary import render_text
from rotator.rotation.steps.context import Options

GREEN = f"{BLUE}-g1"
FENCED = Options(approvals=frozenset({"fenced"}))
LOSE = Options(lose_writes=True)


def journal(folder: Path) -> Journal:
    return local_keeper("shop", folder).load()


def with_globs(found: Services, *globs: str) -> Services:
    wanted = found.env.config.retire.model_copy(update={"delete_snapshots": globs})
    config = found.env.config.model_copy(update={"retire": wanted})
    return replace(found, env=found.env.model_copy(update={"config": config}))


def with_apply(found: Services, apply: Callable[..., bool]) -> Services:
    """`apply(real, stage, *rest)` in place of the stage's apply."""
    real = found.stages.apply
    found.stages.apply = lambda *args: apply(real, *args)  # type: ignore[method-assign]
    return found


def with_gate(found: Services, gate: Callable[..., bool]) -> Services:
    real = found.stages.apply_through_gate
    found.stages.apply_through_gate = lambda *args: gate(real, *args)  # type: ignore[method-assign]
    return found


def dies_after(real: Callable[..., bool], *args: Any) -> bool:
    real(*args)
    raise Killed("after it took effect")


def test_writers_that_were_told_to_start_again_are_not_forgotten_without_access(tmp_path: Path) -> None:
    world = new_world()
    world.fail["copy_snapshot"] = AwsError("throttled")
    with pytest.raises(AwsError):
        rotate(services(world, tmp_path, access="none"), FENCED)
    assert world.write("after the writers were started again")
    with pytest.raises(Blocked, match="lifted"):
        rotate(services(world, tmp_path, access="none"), Options())
    assert world.record.values[0].startswith(f"{BLUE}.")


def test_a_rollback_that_has_lifted_the_fence_cannot_become_a_rotation_again(tmp_path: Path) -> None:
    world = new_world()

    def interrupted(real: Any, stage: Any, before: Any, after: Any, write: Any, *rest: Any) -> bool:
        write(after)
        write(before)
        raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        rotate(with_gate(services(world, tmp_path), interrupted), Options())
    world.fail["delete_instance"] = TerraformError("cannot be deleted")
    with pytest.raises(TerraformError):
        rollback(services(world, tmp_path), Options())
    assert world.write("after the fence was lifted")
    with pytest.raises(Blocked) as caught:
        rotate(services(world, tmp_path), Options())
    assert caught.value.code == "rollback-unfinished"


@pytest.mark.parametrize("status", ["storage-optimization", "backing-up", "modifying"])
def test_a_busy_green_is_shut_before_blue_is_opened(tmp_path: Path, status: str) -> None:
    world = new_world()

    def fails(real: Any, stage: Any, before: Any, after: Any, write: Any, progress: Any, decide: Any) -> bool:
        write(after)
        assert decide()
        world.instances[GREEN] = replace(world.instances[GREEN], status=status)
        raise AwsError("ChangeResourceRecordSets timed out")

    with pytest.raises(AwsError):
        rotate(with_gate(services(world, tmp_path), fails), Options())
    assert world.data[BLUE].fenced_by is None
    assert world.data[GREEN].fenced_by is not None
    assert world.both_writable == 0


@pytest.mark.parametrize("access", ["direct", "none"])
def test_the_old_ttl_has_passed_before_the_fence(tmp_path: Path, access: str) -> None:
    world = new_world()
    world.record = replace(world.record, ttl=3600)
    began = world.time
    rotate(services(world, tmp_path, access=access), FENCED)
    assert (world.time - began).total_seconds() > 3600


def test_greens_writes_are_kept_when_the_run_died_right_after_the_flip(tmp_path: Path) -> None:
    world = new_world()
    with pytest.raises(Killed):
        rotate(with_gate(services(world, tmp_path), dies_after), Options())
    assert world.write("on green")
    rollback(services(world, tmp_path), LOSE)
    assert GREEN not in world.instances
    assert "on green" in world.snapshot_data[f"rotator-{BLUE}-g1-rolled-back"].rows


def test_green_stays_while_its_last_snapshot_is_not_there(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    found = services(world, tmp_path)
    real, name = found.rds.snapshot, f"rotator-{BLUE}-g1-rolled-back"
    found.rds.snapshot = lambda wanted: None if wanted == name else real(wanted)  # type: ignore[method-assign]
    with pytest.raises(Blocked) as caught:
        rollback(found, LOSE)
    assert caught.value.code == "snapshot-failed"
    assert GREEN in world.instances


def test_a_restore_that_made_nothing_can_be_rolled_back(tmp_path: Path) -> None:
    world = new_world()
    world.fail["restore"] = TerraformError("InsufficientDBInstanceCapacity")
    with pytest.raises(TerraformError):
        rotate(services(world, tmp_path), Options())
    stages: list[Stage] = []

    def noted(real: Any, stage: Stage, *rest: Any) -> bool:
        stages.append(stage)
        return bool(real(stage, *rest))

    rollback(with_apply(services(world, tmp_path), noted), Options())
    # Unprotecting what is not there would plan to make it.
    assert Stage.ROLLBACK_UNPROTECT not in stages
    assert phase(tmp_path) is Phase.ROLLED_BACK


def test_a_repeated_rollback_does_not_take_back_the_rotation_before(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    assert world.write("on g1")
    rotate(services(world, tmp_path), Options())
    rollback(services(world, tmp_path), LOSE)
    with pytest.raises(Blocked) as caught:
        rollback(services(world, tmp_path), LOSE)
    assert caught.value.code == "no-rotation"
    assert "on g1" in world.serving_rows()


def test_a_key_that_is_kept_does_not_hold_up_the_next_retirement(tmp_path: Path) -> None:
    world = new_world()
    FakeRds(world).create_snapshot(BLUE, "audit", {})
    for _ in range(2):
        rotate(services(world, tmp_path), Options())
        retire(services(world, tmp_path), Options())
    assert list(world.instances) == [f"{BLUE}-g2"]


def test_nothing_is_retired_while_another_rotation_is_under_way(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    world.fail["copy_snapshot"] = KeyboardInterrupt()  # type: ignore[assignment]
    with pytest.raises(Interrupted):
        rotate(services(world, tmp_path), Options())
    with pytest.raises(Blocked) as caught:
        retire(services(world, tmp_path), Options())
    assert caught.value.code == "rotation-unfinished"
    assert str(world.data[GREEN].fenced_by).startswith("shop-g2-")


def test_no_rotation_begins_while_blue_is_half_retired(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    world.fail["copy_snapshot"] = AwsError("quota")
    with pytest.raises(AwsError):
        retire(services(world, tmp_path), Options())
    with pytest.raises(Blocked) as caught:
        rotate(services(world, tmp_path), Options())
    assert caught.value.code == "retire-unfinished"
    retire(services(world, tmp_path), Options())
    assert phase(tmp_path) is Phase.RETIRED


def test_imports_do_not_outlive_a_cut_off_adoption(tmp_path: Path) -> None:
    world = new_world()
    with pytest.raises(Killed):
        rotate(with_apply(services(world, tmp_path), dies_after), Options())
    rollback(services(world, tmp_path), Options())
    rotate(services(world, tmp_path), Options())
    retire(services(world, tmp_path), Options())
    root = journal(tmp_path).root
    assert root is not None
    assert root.imports == Imports()


def test_there_is_no_way_back_once_blue_is_unprotected(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    world.fail["delete_instance"] = TerraformError("failed")
    with pytest.raises(TerraformError):
        retire(services(world, tmp_path), Options())
    with pytest.raises(Blocked) as caught:
        rollback(services(world, tmp_path), LOSE)
    assert caught.value.code == "already-retired"


def test_a_retirement_that_stopped_early_leaves_the_way_back_and_the_next_names_free(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    world.fail["copy_snapshot"] = AwsError("quota")
    with pytest.raises(AwsError):
        retire(services(world, tmp_path), Options())
    rollback(services(world, tmp_path), LOSE)
    rotate(services(world, tmp_path), Options())
    assert world.record.values[0].startswith(f"{BLUE}-g2.")


def test_a_shared_key_keeps_its_other_database_and_that_ones_snapshots(tmp_path: Path) -> None:
    world = new_world()
    made = make_snapshot("nightly-billing", "billing-db", OLD_KEY, {})
    world.snapshots["nightly-billing"] = replace(made, status="available", percent=100)
    world.instances["billing-db"] = instance("billing-db", OLD_KEY, {}, {})
    rotate(services(world, tmp_path), Options())
    summary = retire(with_globs(services(world, tmp_path), "nightly-*"), Options())
    assert "nightly-billing" in world.snapshots
    assert world.keys[OLD_KEY].state == "Enabled"
    assert any("billing-db" in note for note in summary.notes)
    assert phase(tmp_path) is Phase.KEY_KEPT


def test_an_orphaned_apply_that_holds_the_state_lock_costs_no_fence(tmp_path: Path) -> None:
    world = new_world()

    def held(real: Any, stage: Stage, *rest: Any) -> bool:
        if stage is Stage.GREEN:
            raise TerraformStateLocked("held by the apply of the killed run")
        return bool(real(stage, *rest))

    with pytest.raises(TerraformStateLocked):
        rotate(with_apply(services(world, tmp_path), held), Options())
    assert world.data[BLUE].fenced_by is not None
    rotate(services(world, tmp_path), Options())
    assert world.record.values[0].startswith(f"{GREEN}.")


@pytest.mark.parametrize("without", ["nothing", "the final copy"])
def test_a_kept_key_goes_once_its_snapshot_may_be_deleted(tmp_path: Path, without: str) -> None:
    world = new_world()
    FakeRds(world).create_snapshot(BLUE, "audit", {})
    rotate(services(world, tmp_path), Options())
    retire(services(world, tmp_path), Options())
    assert phase(tmp_path) is Phase.KEY_KEPT
    if without == "nothing":
        retire(with_globs(services(world, tmp_path), "audit"), Options())
    else:
        del world.snapshots["audit"]
        del world.snapshots[f"rotator-{BLUE}-g0-final-g1-reencrypted"]
        retire(services(world, tmp_path), Options())
    assert "audit" not in world.snapshots
    assert world.keys[OLD_KEY].state == "PendingDeletion"


def test_a_bad_verdict_of_the_canary_is_not_forgotten_by_the_next_run(tmp_path: Path) -> None:
    world = new_world()
    for _ in range(2):
        with pytest.raises(DatabaseError) as caught:
            rotate(replace(services(world, tmp_path), canary=lambda: {"lost": 1, "doubled": 0}), Options())
        assert caught.value.code == "canary"
    assert list(world.instances) == [BLUE, GREEN]


def test_a_canary_that_could_not_look_is_never_told_as_nothing_lost(tmp_path: Path) -> None:
    unseen = {"lost": None, "doubled": None, "acknowledged": 7, "problem": "canceling statement"}
    summary = rotate(replace(services(new_world(), tmp_path), canary=lambda: unseen), Options())
    assert any("NOT known. canceling statement" in note for note in summary.notes)
    assert "NOT checked: 7 acknowledged writes" in render_text(summary)


def test_a_record_that_was_put_back_by_hand_still_asks_before_greens_writes_go(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    world.record = replace(world.record, values=(str(world.instances[BLUE].address),))
    with pytest.raises(WaitingForApproval):
        rollback(services(world, tmp_path), Options())


def test_idle_leftovers_of_the_fence_are_not_called_a_fence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = new_world()
    world.fail["copy_snapshot"] = AwsError("failed")
    found = services(world, tmp_path)

    def leaves_triggers(self: Any, *, busy: bool = False) -> None:
        self.data.fenced_by = None
        raise DatabaseError("writes go through", details=("shop.public.item",), code="fence-leftovers")

    monkeypatch.setattr("fakes.FakeServer.unfence", leaves_triggers)
    with pytest.raises(AwsError) as caught:
        rotate(found, Options())
    assert any("takes writes again" in line for line in caught.value.details)


def test_the_new_key_stays_while_an_instance_of_somebody_lies_under_it(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    key = str(world.instances[GREEN].kms_key_arn)
    world.instances["analyst-copy"] = instance("analyst-copy", key, {}, {})
    world.data["analyst-copy"] = Data(fenced_by="not ours")
    rollback(services(world, tmp_path), Options(lose_writes=True, delete_snapshots=True))
    assert world.keys[key].state == "Enabled"


def test_without_access_the_operator_stops_greens_writers_before_the_way_back(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path, access="none"), FENCED)
    with pytest.raises(WaitingForApproval, match="stop all writes"):
        rollback(services(world, tmp_path, access="none"), LOSE)
    assert world.record.values[0].startswith(f"{GREEN}.")
    rollback(services(world, tmp_path, access="none"), replace(FENCED, lose_writes=True))
    assert world.record.values[0].startswith(f"{BLUE}.")


def test_there_is_a_way_back_from_a_green_that_is_gone(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    del world.instances[GREEN]
    rollback(services(world, tmp_path), LOSE)
    assert world.record.values[0].startswith(f"{BLUE}.")
    assert world.write("on blue")


def test_a_blue_that_was_opened_after_its_final_snapshot_is_not_deleted(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    world.fail["copy_snapshot"] = AwsError("quota")
    with pytest.raises(AwsError):
        retire(services(world, tmp_path), Options())
    world.data[BLUE].fenced_by = None
    with pytest.raises(Blocked):
        retire(services(world, tmp_path), Options())
    assert BLUE in world.instances


def test_leaving_a_question_unanswered_is_no_bug() -> None:
    def work() -> None:
        raise click.Abort

    with pytest.raises(SystemExit) as caught:
        run(work, as_json=True)
    assert caught.value.code == 130


def _writes_between_kills(world: World, folder: Path, first: int, second: int) -> tuple[list[str], bool]:
    """Rotate, killed at `first`; roll back, killed at `second`; rotate again; writers try in between."""
    acknowledged: list[str] = []

    def write(row: str) -> None:
        if world.write(row):
            acknowledged.append(row)

    world.kill_at = first
    try:
        rotate(services(world, folder), Options())
    except Killed:
        write("a")
    if world.record.values[0].startswith(f"{GREEN}."):
        return acknowledged, True
    world.kill_at, died = world.effects + second, True
    try:
        rollback(services(world, folder), LOSE)
        died = False
    except Killed:
        write("b")
    world.kill_at = None
    try:
        rotate(services(world, folder), Options())
    except RotatorError:
        write("c")
    return acknowledged, not died


@pytest.mark.parametrize("after", [False, True])
def test_kills_in_rotation_and_rollback_together_lose_nothing(tmp_path: Path, after: bool) -> None:
    for first in range(1, 25):
        for second in range(1, 12):
            folder = tmp_path / f"{first}-{second}"
            folder.mkdir()
            world = new_world()
            world.kill_after = after
            acknowledged, over = _writes_between_kills(world, folder, first, second)
            assert set(acknowledged) <= set(world.serving_rows()), (first, second)
            assert world.both_writable == 0, (first, second)
            if over:
                break


def test_what_the_journal_rules_out_is_said_before_anybody_is_asked(tmp_path: Path) -> None:
    """The command line looks at these before its question."""
    before = services(new_world(), tmp_path)
    with pytest.raises(Blocked) as nothing:
        taken_back(before)
    with pytest.raises(Blocked) as idle:
        waiting(before)
    assert (nothing.value.code, idle.value.code) == ("no-rotation", "nothing-to-retire")
    rotate(before, Options())
    assert taken_back(before).rotation.green == "shop-db-g1"
    assert [record.rotation.green for record in waiting(before)] == ["shop-db-g1"]
