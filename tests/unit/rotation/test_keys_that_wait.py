"""retire when only old keys are left: each is looked at, and no stop on the way closes the way to the end."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import BLUE, OLD_KEY, Killed, World, new_world
from rotations import phase, services

from rotator.aws.uses import Grant, LastUse
from rotator.commands.retirement import retire
from rotator.commands.rotation import rollback, rotate
from rotator.commands.status import status
from rotator.domain.errors import AwsError, Blocked, Interrupted, KeyStaysDisabled, WaitingForApproval
from rotator.journal.document import Phase
from rotator.journal.local import local_keeper
from rotator.rotation.steps.context import Options

ROLE = Grant("g-2", "batch", "arn:aws:iam::123456789012:role/batch", None, ("Decrypt", "Encrypt"))
APPROVED = Options(approvals=frozenset({"disable-key"}))


def waiting(tmp_path: Path, rotations: int = 1) -> World:
    """Rotations whose blue is gone and whose old keys have just been disabled."""
    world = new_world()
    for _ in range(rotations):
        rotate(services(world, tmp_path, disabled_for="7d"), Options())
        world.snapshots.clear()  # nothing that must be kept lies under the keys
        with pytest.raises(KeyStaysDisabled):
            retire(services(world, tmp_path, disabled_for="7d"), Options())
    return world


def test_the_advice_after_a_later_use_leads_to_the_end(tmp_path: Path) -> None:
    world = waiting(tmp_path)
    world.last_use = LastUse("Decrypt", world.time + timedelta(days=3))
    world.time += timedelta(days=8)
    with pytest.raises(Blocked, match="was used at"):
        retire(services(world, tmp_path, disabled_for="7d"), Options())
    assert phase(tmp_path) is Phase.KEY_DISABLED
    world.keys[OLD_KEY] = replace(world.keys[OLD_KEY], state="Enabled")
    with pytest.raises(KeyStaysDisabled):
        retire(services(world, tmp_path, disabled_for="7d"), APPROVED)
    world.time += timedelta(days=8)
    retire(services(world, tmp_path, disabled_for="7d"), Options())
    assert world.keys[OLD_KEY].state == "PendingDeletion"


def test_a_journal_that_is_stuck_between_the_two_goes_on(tmp_path: Path) -> None:
    world = waiting(tmp_path)
    path = tmp_path / "journal.json"
    path.write_text(path.read_text().replace('"phase": "key-disabled"', '"phase": "retiring"'))
    world.keys[OLD_KEY] = replace(world.keys[OLD_KEY], state="Enabled")
    with pytest.raises(WaitingForApproval):
        retire(services(world, tmp_path, disabled_for="7d"), Options())
    with pytest.raises(KeyStaysDisabled):
        retire(services(world, tmp_path, disabled_for="7d"), APPROVED)


@pytest.mark.parametrize("stop", [AwsError("throttled"), KeyboardInterrupt(), ZeroDivisionError(), Killed()])
@pytest.mark.parametrize("effect", ["delete_snapshot", "enable", "schedule"])
def test_a_stop_once_blue_is_gone_holds_up_no_other_rotation(tmp_path: Path, effect: str, stop: BaseException) -> None:
    world = new_world()
    rotate(services(world, tmp_path), Options())
    world.fail[effect] = stop  # type: ignore[assignment]
    with pytest.raises((AwsError, Interrupted, ZeroDivisionError, Killed)):
        retire(services(world, tmp_path), Options())
    assert BLUE not in world.instances
    applying = local_keeper("shop", tmp_path).load().pending is not None
    assert applying is (effect != "delete_snapshot")
    if not isinstance(stop, Killed):
        assert phase(tmp_path) is (Phase.KEY_DISABLED if effect == "schedule" else Phase.KEY_KEPT)
    with pytest.raises(Blocked) as caught:
        rollback(services(world, tmp_path), Options(lose_writes=True))
    assert caught.value.code == "already-retired"
    if applying:
        with pytest.raises(Blocked) as caught:
            rotate(services(world, tmp_path), Options())
        assert caught.value.code == "retire-unfinished"
        retire(services(world, tmp_path), Options())
    rotate(services(world, tmp_path), Options())
    retire(services(world, tmp_path), Options())
    assert world.keys[OLD_KEY].state == "PendingDeletion"


def test_one_retire_looks_at_every_key(tmp_path: Path) -> None:
    world = new_world()
    world.grants.append(ROLE)  # keeps the first key, for ever
    keys = [OLD_KEY, *(OLD_KEY.replace("/old", f"/g{number}") for number in (1, 2))]
    for _ in keys:
        rotate(services(world, tmp_path, disabled_for="7d"), Options())
        with suppress(KeyStaysDisabled):
            retire(services(world, tmp_path, disabled_for="7d"), Options())
    assert [world.keys[arn].state for arn in keys] == ["Enabled", "Disabled", "Disabled"]
    world.snapshots.clear()  # so that nothing lies under the keys any more
    world.time += timedelta(days=8)
    world.keys[keys[1]] = replace(world.keys[keys[1]], state="Enabled")
    with pytest.raises(WaitingForApproval) as asked:
        retire(services(world, tmp_path, disabled_for="7d"), Options())
    assert world.keys[keys[2]].state == "PendingDeletion"
    assert any("batch" in line for line in asked.value.details)
    assert any("scheduled" in line for line in asked.value.details)
    with pytest.raises(KeyStaysDisabled):
        retire(services(world, tmp_path, disabled_for="7d"), APPROVED)
    world.time += timedelta(days=8)
    summary = retire(services(world, tmp_path, disabled_for="7d"), Options())
    assert [world.keys[arn].state for arn in keys] == ["Enabled", "PendingDeletion", "PendingDeletion"]
    assert any("scheduled" in note for note in summary.notes)


def test_status_shows_every_key_that_waits_and_when_one_is_due(tmp_path: Path) -> None:
    world = waiting(tmp_path)
    for verb, options in ((rotate, Options()), (rollback, Options(lose_writes=True, delete_snapshots=True))):
        verb(services(world, tmp_path, disabled_for="7d"), options)
        found = status(services(world, tmp_path, disabled_for="7d"))
        assert f"{OLD_KEY} disabled since" in found.old_key
    assert found.next_command == "rotator rotate shop"
    world.time += timedelta(days=8)
    assert status(services(world, tmp_path, disabled_for="7d")).next_command == "rotator retire shop"


def test_status_says_why_a_key_is_kept(tmp_path: Path) -> None:
    world = new_world()
    world.grants.append(ROLE)
    rotate(services(world, tmp_path), Options())
    retire(services(world, tmp_path), Options())
    rotate(services(world, tmp_path), Options())
    assert "role/batch" in status(services(world, tmp_path)).old_key
