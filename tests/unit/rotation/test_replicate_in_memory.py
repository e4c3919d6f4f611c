"""Strategy replicate on a world in memory: the whole way there and back, killed at every side effect."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_channels import Replication
from fakes import BLUE, FakeDatabases, Killed, World
from replicated import run, world_with_links
from rotations import phase, services

from rotator.commands.plan import plan
from rotator.commands.retirement import retire
from rotator.commands.rotation import rollback, rotate
from rotator.commands.status import status
from rotator.domain.database import Finding
from rotator.domain.errors import AwsError, Blocked, DatabaseError, WaitingForApproval
from rotator.domain.root import Stage
from rotator.domain.rotation import Strategy
from rotator.journal.document import Phase
from rotator.journal.local import local_keeper
from rotator.rotation.steps.context import Options

GREEN = f"{BLUE}-g1"
NEW_KEY = "arn:aws:kms:eu-central-1:123456789012:key/g1"


def assert_rotated(world: World) -> None:
    assert world.record.values[0].startswith(f"{GREEN}.")
    assert world.record.ttl == 5  # until retire
    assert world.instances[GREEN].kms_key_arn == NEW_KEY
    assert world.data[BLUE].fenced_by is not None
    assert not world.data[BLUE].leased
    assert world.data[GREEN].fenced_by is None
    assert len(world.serving_rows()) == len(set(world.serving_rows()))
    assert world.both_writable == 0


def test_a_rotation_writes_until_the_flip_and_loses_nothing(tmp_path: Path) -> None:
    world = world_with_links()
    world.replication.late = ["just before the fence"]
    bench_ = services(world, tmp_path, strategy="replicate")
    real = bench_.stages.apply

    def apply(stage: Stage, *rest: Any) -> bool:
        assert world.write(f"before {stage}")
        return real(stage, *rest)

    bench_.stages.apply = apply  # type: ignore[method-assign]
    summary = rotate(bench_, Options())
    assert_rotated(world)
    assert {"before green", "just before the fence"} <= set(world.serving_rows())
    assert summary.strategy == "replicate"
    assert summary.write_pause_seconds == pytest.approx(0.3, abs=0.05)
    assert set(summary.pause_parts) == {"fence", "drain", "flip"}
    assert phase(tmp_path) is Phase.SOAKING


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_side_effect_the_next_run_finishes(tmp_path: Path, after: bool) -> None:
    (tmp_path / "count").mkdir()
    world = world_with_links()
    run(world, tmp_path / "count")
    total = world.effects
    assert total >= 20
    for number in range(1, total + 1):
        folder = tmp_path / f"{after}-{number}"
        folder.mkdir()
        world = world_with_links()
        world.kill_at, world.kill_after = number, after
        with pytest.raises(Killed):
            run(world, folder)
        world.expire_leases()
        acknowledged = world.write(f"after the kill {number}")
        run(world, folder)
        assert_rotated(world)
        assert acknowledged == (f"after the kill {number}" in world.serving_rows()), number
        assert len([s for s in world.snapshots if "g1" in s]) == 2, number


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_side_effect_a_rollback_loses_nothing(tmp_path: Path, after: bool) -> None:
    (tmp_path / "count").mkdir()
    world = world_with_links()
    run(world, tmp_path / "count")
    for number in range(1, world.effects + 1):
        folder = tmp_path / f"{after}-{number}"
        folder.mkdir()
        again = world_with_links()
        again.kill_at, again.kill_after = number, after
        with pytest.raises(Killed):
            run(again, folder)
        again.expire_leases()
        flipped = again.record.values[0].startswith(f"{GREEN}.")
        if flipped:
            # The way back was not open yet: going on opens it, and then nothing is lost.
            run(again, folder)
        acknowledged = again.write(f"after the kill {number}")
        rollback(services(again, folder, strategy="replicate"), Options(delete_snapshots=True))
        assert again.record.values[0].startswith(f"{BLUE}."), number
        assert again.write("after the rollback"), number
        assert acknowledged == (f"after the kill {number}" in again.serving_rows()), number
        assert list(again.instances) == [BLUE], number
        assert not any(stream.slot for stream in again.replication.streams.values()), number
        assert again.both_writable == 0, number


@pytest.mark.parametrize("after", [False, True])
def test_a_rollback_after_the_flip_killed_anywhere_loses_nothing(tmp_path: Path, after: bool) -> None:
    (tmp_path / "count").mkdir()
    world = world_with_links()
    run(world, tmp_path / "count")
    before = world.effects
    rollback(services(world, tmp_path / "count", strategy="replicate"), Options(delete_snapshots=True))
    total = world.effects - before
    assert total >= 8
    for number in range(1, total + 1):
        folder = tmp_path / f"{after}-{number}"
        folder.mkdir()
        again = world_with_links()
        run(again, folder)
        assert again.write("on green")
        again.kill_at, again.kill_after = again.effects + number, after
        with pytest.raises(Killed):
            rollback(services(again, folder, strategy="replicate"), Options(delete_snapshots=True))
        again.expire_leases()
        acknowledged = again.write("after the kill")
        rollback(services(again, folder, strategy="replicate"), Options(delete_snapshots=True))
        assert again.record.values[0].startswith(f"{BLUE}."), number
        assert "on green" in again.serving_rows(), number
        assert acknowledged == ("after the kill" in again.serving_rows()), number
        assert again.write("at the end")
        assert list(again.instances) == [BLUE]
        assert again.both_writable == 0, number
        assert len(again.serving_rows()) == len(set(again.serving_rows())), number


def test_a_window_over_its_budget_flips_nothing_and_lets_writes_through(tmp_path: Path) -> None:
    world = world_with_links()
    world.replication.refuse_window = "green does not have all of blue's changes in time"
    with pytest.raises(DatabaseError) as caught:
        run(world, tmp_path)
    assert world.record.values[0].startswith(f"{BLUE}.")
    assert world.write("in between")
    assert world.data[GREEN].fenced_by is not None
    assert any("takes writes" in line for line in caught.value.details)
    world.replication.refuse_window = ""
    run(world, tmp_path)
    assert_rotated(world)
    assert "in between" in world.serving_rows()


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        ({"problem": "the sources disagree"}, "seed"),
        ({"differences": ("table shop.public.item: id 1 differs",)}, "validate-contents"),
        ({"errors": ('duplicate key value violates unique constraint "item_pkey"', "Key (id)=(5)")}, "apply-stopped"),
    ],
)
def test_trouble_before_the_flip_is_named_and_the_flip_does_not_happen(
    tmp_path: Path, trouble: dict[str, Any], code: str
) -> None:
    world = world_with_links()
    world.replication = Replication(**trouble)
    with pytest.raises(Blocked) as caught:
        run(world, tmp_path)
    assert caught.value.code == code
    assert world.record.values[0].startswith(f"{BLUE}.")
    assert world.write("still on blue")
    world.replication.problem, world.replication.differences, world.replication.errors = "", (), ()
    rollback(services(world, tmp_path, strategy="replicate"), Options())
    assert "still on blue" in world.serving_rows()
    assert not any(stream.slot for stream in world.replication.streams.values())


def test_ddl_between_the_comparison_and_the_flip_stops_it(tmp_path: Path) -> None:
    world = world_with_links()
    bench_ = services(world, tmp_path, strategy="replicate")
    real = bench_.stages.apply_through_gate

    def with_ddl(*args: Any) -> bool:
        world.replication.ddl.append("shop: ALTER TABLE public.item")
        return real(*args)

    bench_.stages.apply_through_gate = with_ddl  # type: ignore[method-assign]
    with pytest.raises(Blocked) as caught:
        rotate(bench_, Options())
    assert caught.value.code == "validate-schema"
    assert "shop: ALTER TABLE public.item" in caught.value.details
    assert world.write("still on blue")


def test_a_lost_slot_stops_and_rollback_removes_it(tmp_path: Path) -> None:
    world = world_with_links()
    bench_ = services(world, tmp_path, strategy="replicate")
    real = bench_.stages.apply

    def loses(stage: Stage, *rest: Any) -> bool:
        if stage is Stage.GREEN:
            FakeDatabases(world).channel("shop-g1", (BLUE, 1), (BLUE, 1)).stream.lost = True
        return real(stage, *rest)

    bench_.stages.apply = loses  # type: ignore[method-assign]
    with pytest.raises(Blocked, match="lost"):
        rotate(bench_, Options())
    rollback(services(world, tmp_path, strategy="replicate"), Options())
    assert phase(tmp_path) is Phase.ROLLED_BACK
    assert not any(stream.slot for stream in world.replication.streams.values())


def test_status_tells_the_way_back_and_retire_closes_it(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    found = status(services(world, tmp_path, strategy="replicate"))
    assert "reverse replication open: rollback loses no write" in found.replication
    retire(services(world, tmp_path, strategy="replicate"), Options())
    assert BLUE not in world.instances
    assert not any(stream.slot for stream in world.replication.streams.values())
    assert phase(tmp_path) is Phase.RETIRED


def test_status_warns_of_a_slot_that_nobody_reads(tmp_path: Path) -> None:
    world = world_with_links()
    world.replication.problem = "the sources disagree"
    with pytest.raises(Blocked):
        run(world, tmp_path)
    found = status(services(world, tmp_path, strategy="replicate"))
    assert any("NOBODY READS IT" in line for line in found.replication)


def test_with_the_way_back_closed_rollback_asks_and_says_why(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    FakeDatabases(world).channel("shop-g1", (GREEN, 1), (BLUE, 1), back=True).stream.lost = True
    assert any("CLOSED" in line for line in status(services(world, tmp_path, strategy="replicate")).replication)
    world.write("only on green")
    with pytest.raises(WaitingForApproval) as caught:
        rollback(services(world, tmp_path, strategy="replicate"), Options())
    assert "lost" in caught.value.why
    rollback(services(world, tmp_path, strategy="replicate"), Options(lose_writes=True))
    assert world.record.values[0].startswith(f"{BLUE}.")
    assert "only on green" in world.snapshot_data[f"rotator-{BLUE}-g1-rolled-back"].rows
    assert world.write("on blue again")


def test_auto_takes_replicate_where_nothing_blocks_it(tmp_path: Path) -> None:
    world = world_with_links()
    assert plan(services(world, tmp_path, strategy="auto")).strategy == "replicate"
    assert rotate(services(world, tmp_path, strategy="auto"), Options()).strategy == "replicate"


def test_auto_takes_snapshot_otherwise_and_says_why(tmp_path: Path) -> None:
    world = world_with_links()
    world.against_replicate = (Finding("wal-level", "wal_level is replica", "", "", blocks=True),)
    found = plan(services(world, tmp_path, strategy="auto"))
    assert found.strategy == "snapshot"
    assert any("wal_level is replica" in line for line in found.warnings)
    summary = rotate(services(world, tmp_path, strategy="auto"), Options(approvals=frozenset({"long-pause"})))
    assert summary.strategy == "snapshot"
    assert any("wal_level is replica" in note for note in summary.notes)
    record = local_keeper("shop", tmp_path).load().latest()
    assert record is not None
    assert record.rotation.strategy is Strategy.SNAPSHOT


def test_replicate_by_name_refuses_what_blocks_it(tmp_path: Path) -> None:
    world = world_with_links()
    world.against_replicate = (Finding("wal-level", "wal_level is replica", "", "", blocks=True),)
    with pytest.raises(Blocked) as caught:
        run(world, tmp_path)
    assert caught.value.code == "wal-level"
    assert not world.snapshots


def test_a_second_rotation_waits_until_the_first_is_retired(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    with pytest.raises(Blocked) as caught:
        run(world, tmp_path)
    assert caught.value.code == "retire-first"


def test_an_old_comparison_is_made_again_before_the_flip(tmp_path: Path) -> None:
    world = world_with_links()
    world.replication.refuse_window = "too late"
    with pytest.raises(DatabaseError):
        run(world, tmp_path)
    world.replication.refuse_window = ""
    world.data[GREEN].rows[0] = "tampered"
    world.time += timedelta(hours=1)
    with pytest.raises(Blocked) as caught:
        run(world, tmp_path)
    assert caught.value.code == "validate-contents"


def by_hand(world: World, identifier: str) -> None:
    """Somebody sets the record."""
    target = world.instances[identifier].address
    world.record = replace(world.record, values=(str(target),))


def killed_at(world: World, folder: Path, name: str, *, after: bool) -> None:
    """Run until the side effect of that name; the process dies before or after it."""
    probe = world_with_links()
    names: list[str] = []
    real = probe.effect
    probe.effect = lambda what, do: (names.append(what), real(what, do))[1]  # type: ignore[method-assign]
    (folder / "probe").mkdir(parents=True)
    run(probe, folder / "probe")
    world.kill_at, world.kill_after = len(names) - names[::-1].index(name), after
    if name == "record":  # the flip is the second change of the record, the TTL's are the others
        world.kill_at = [number for number, what in enumerate(names, 1) if what == "record"][1]
    with pytest.raises(Killed):
        run(world, folder)
    world.expire_leases()


def test_a_flip_that_was_cut_off_after_its_go_is_not_done_again_over_a_green_that_serves(tmp_path: Path) -> None:
    world = world_with_links()
    killed_at(world, tmp_path, "record", after=True)
    assert world.write("acknowledged by green")
    windows = len(world.replication.windows)
    run(world, tmp_path)
    assert len(world.replication.windows) == windows
    assert_rotated(world)
    assert "acknowledged by green" in world.serving_rows()
    assert "acknowledged by green" in world.data[BLUE].rows  # the way back carries it


def test_rolled_back_at_once_after_such_a_flip_nothing_is_lost(tmp_path: Path) -> None:
    world = world_with_links()
    killed_at(world, tmp_path, "record", after=True)
    assert world.write("acknowledged by green")
    rollback(services(world, tmp_path, strategy="replicate"), Options())
    assert world.record.values[0].startswith(f"{BLUE}.")
    assert "acknowledged by green" in world.serving_rows()
    assert world.both_writable == 0


def test_a_record_put_back_by_hand_is_no_proof_that_green_holds_nothing(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    assert world.write("acknowledged by green")
    by_hand(world, BLUE)
    rollback(services(world, tmp_path, strategy="replicate"), Options(delete_snapshots=True))
    assert "acknowledged by green" in world.serving_rows()
    assert world.write("on blue")
    assert world.both_writable == 0


def test_with_the_record_put_back_by_hand_and_no_way_back_it_asks(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    FakeDatabases(world).channel("shop-g1", (GREEN, 1), (BLUE, 1), back=True).stream.lost = True
    by_hand(world, BLUE)
    with pytest.raises(WaitingForApproval):
        rollback(services(world, tmp_path, strategy="replicate"), Options())
    assert world.data[BLUE].fenced_by is not None


def test_after_a_flip_blue_is_never_opened_by_itself(tmp_path: Path) -> None:
    world = world_with_links()
    killed_at(world, tmp_path, "unsubscribe", after=False)
    assert world.write("acknowledged by green")
    by_hand(world, BLUE)
    with pytest.raises(Blocked):
        run(world, tmp_path)
    assert world.data[BLUE].fenced_by is not None
    assert world.both_writable == 0


def test_killed_between_seal_and_go_the_next_run_opens_blue_before_anything_else(tmp_path: Path) -> None:
    world = world_with_links()
    killed_at(world, tmp_path, "open green", after=True)
    assert not world.write("refused")
    bench_ = services(world, tmp_path, strategy="replicate")
    real = bench_.stages.apply_through_gate

    def writes(*args: Any) -> bool:
        assert world.write("while the run goes on")
        return real(*args)

    bench_.stages.apply_through_gate = writes  # type: ignore[method-assign]
    rotate(bench_, Options())
    assert_rotated(world)
    assert "while the run goes on" in world.serving_rows()


def test_a_feed_that_is_enabled_again_stops_the_flip(tmp_path: Path) -> None:
    world = world_with_links()
    world.replication.refuse_window = "later"
    with pytest.raises(DatabaseError):
        run(world, tmp_path)
    world.replication.refuse_window, world.replication.foreign_subscriptions = "", ("shop.feed",)
    with pytest.raises(Blocked) as caught:
        run(world, tmp_path)
    assert caught.value.code == "subscription"
    assert world.write("still on blue")


def test_without_a_way_back_by_decision_nothing_is_left_behind(tmp_path: Path) -> None:
    world = world_with_links()
    killed_at(world, tmp_path, "unsubscribe", after=False)
    rotate(services(world, tmp_path, strategy="replicate"), Options(approvals=frozenset({"no-way-back"})))
    assert not any(stream.slot or stream.enabled for stream in world.replication.streams.values())
    assert any("CLOSED" in line for line in status(services(world, tmp_path, strategy="replicate")).replication)


def test_retire_closes_green_s_half_when_blue_is_gone(tmp_path: Path) -> None:
    world = world_with_links()
    run(world, tmp_path)
    del world.instances[BLUE]
    with pytest.raises(AwsError):  # no final snapshot can be had; but green no longer keeps its log
        retire(services(world, tmp_path, strategy="replicate"), Options())
    assert not world.replication.streams[GREEN, "back"].slot
