"""The old key goes last: nothing that still uses it loses it in one run, and what is not known is no permission."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fakes import BLUE, OLD_KEY, FakeKeyUses, World, new_world
from rotations import phase, services

from rotator.aws.uses import Grant, LastUse
from rotator.commands.retirement import retire
from rotator.commands.rotation import rotate
from rotator.commands.services import Services
from rotator.commands.status import status
from rotator.domain.aws import Key
from rotator.domain.errors import (
    AwsCredentialsError,
    AwsError,
    AwsUnreachable,
    Blocked,
    ExitCode,
    KeyStaysDisabled,
    WaitingForApproval,
)
from rotator.journal.document import Phase
from rotator.journal.local import local_keeper
from rotator.report.status import render
from rotator.rotation.steps.context import Options

SECRET = "shop-db/master"
VOLUME = Grant("g-1", "", "arn:aws:iam::123456789012:role/ec2", None, ("Decrypt",), {"aws:ebs:id": "vol-1"})
ROLE = Grant("g-2", "batch", "arn:aws:iam::123456789012:role/batch", None, ("Decrypt", "Encrypt"))
OF_BLUE = Grant("g-3", "", "rds.eu-central-1.amazonaws.com", None, ("Decrypt",), {"aws:rds:db-id": "db-shop-db"})


def with_secret(found: Services) -> Services:
    database = found.env.config.database.model_dump() | {"credentials": {"secret_id": SECRET}}
    config = type(found.env.config).model_validate(found.env.config.model_dump() | {"database": database})
    return replace(found, env=found.env.model_copy(update={"config": config}))


def another_alias(world: World) -> None:
    world.keys[OLD_KEY] = replace(world.keys[OLD_KEY], aliases=("alias/legacy", "alias/orders"))


def one_alias(world: World) -> None:
    world.keys[OLD_KEY] = replace(world.keys[OLD_KEY], aliases=("alias/legacy",))


def key(world: World) -> Key:
    return world.keys[OLD_KEY]


USES: dict[str, tuple[Callable[[World], Any], Callable[[World], Any], str, str]] = {
    "volume": (lambda w: w.grants.append(VOLUME), lambda w: w.grants.clear(), "EBS volume vol-1", "replace the volume"),
    "grant": (lambda w: w.grants.append(ROLE), lambda w: w.grants.clear(), "role/batch", "--grant-id g-2"),
    "secret": (
        lambda w: w.secret_keys.update({SECRET: OLD_KEY}),
        lambda w: w.secret_keys.clear(),
        f"secret {SECRET}",
        "update-secret",
    ),
    "secret by alias": (
        lambda w: w.secret_keys.update({SECRET: "alias/legacy"}),
        lambda w: w.secret_keys.clear(),
        f"secret {SECRET}",
        "update-secret",
    ),
    "log group": (
        lambda w: w.log_groups.update({"/aws/rds/x": OLD_KEY}),
        lambda w: w.log_groups.clear(),
        "log group /aws/rds/x",
        "associate-kms-key",
    ),
    "alias": (another_alias, one_alias, "alias/orders", "update-alias --alias-name alias/orders"),
}


@pytest.mark.parametrize("use", USES)
def test_a_key_used_outside_rds_stays_enabled_until_that_use_is_gone(tmp_path: Path, use: str) -> None:
    put, take, what, fix = USES[use]
    world = new_world()
    put(world)
    rotated = rotate(with_secret(services(world, tmp_path)), Options())
    assert any(what in note and fix in note for note in rotated.notes), "preflight must say it before anything is made"
    kept = retire(with_secret(services(world, tmp_path)), Options())
    assert key(world).state == "Enabled"
    assert phase(tmp_path) is Phase.KEY_KEPT
    assert any("stays enabled" in note and what in note and fix in note for note in kept.notes)
    take(world)
    retire(with_secret(services(world, tmp_path)), Options())
    assert key(world).state == "PendingDeletion"


@pytest.mark.parametrize("action", ["kms:ListGrants", "logs:DescribeLogGroups"])
def test_what_may_not_be_looked_at_keeps_the_key(tmp_path: Path, action: str) -> None:
    world = new_world()
    denied = FakeKeyUses(world, (action,))
    rotate(replace(services(world, tmp_path), key_uses=denied), Options())
    summary = retire(replace(services(world, tmp_path), key_uses=denied), Options())
    assert key(world).state == "Enabled"
    assert any(f"Allow {action}" in note for note in summary.notes)


@dataclass
class Silent(FakeKeyUses):
    """Everything but RDS itself is out of reach, as from a subnet without those endpoints."""

    fault: AwsError = field(default_factory=lambda: AwsUnreachable("No answer from https://logs."))
    clears: bool = False

    def _raise(self, key_arn: str) -> Any:
        raise self.fault

    last_use = _raise

    def log_groups(self, key_arn: str) -> tuple[str, ...]:
        return () if self.clears else tuple(self._raise(key_arn))


@pytest.mark.parametrize(
    "fault", [AwsUnreachable("No answer from https://logs."), AwsError("AWS throttles it.", code="aws-throttled")]
)
def test_what_cannot_be_reached_keeps_the_key_and_ends_nothing(tmp_path: Path, fault: AwsError) -> None:
    world = new_world()
    silent = Silent(world, (), fault)
    rotated = rotate(replace(services(world, tmp_path), key_uses=silent), Options())
    assert any(f"log groups, which could not be looked at: {fault.what}" in note for note in rotated.notes)
    retire(replace(services(world, tmp_path), key_uses=silent), Options())
    assert BLUE not in world.instances
    assert (key(world).state, phase(tmp_path)) == ("Enabled", Phase.KEY_KEPT)
    # Once that can be looked at, the wait alone decides, where the last use is not told.
    waits = replace(services(world, tmp_path, disabled_for="7d"), key_uses=Silent(world, (), fault, clears=True))
    with pytest.raises(KeyStaysDisabled):
        retire(waits, Options())
    world.time += timedelta(days=8)
    retire(waits, Options())
    assert key(world).state == "PendingDeletion"


def test_refused_credentials_are_no_reason_to_go_on(tmp_path: Path) -> None:
    world = new_world()
    silent = Silent(world, (), AwsCredentialsError("AWS refuses the credentials."))
    with pytest.raises(AwsCredentialsError):
        rotate(replace(services(world, tmp_path), key_uses=silent), Options())


def test_grants_of_rds_for_blue_itself_keep_nothing(tmp_path: Path) -> None:
    world = new_world()
    world.grants.append(OF_BLUE)
    rotate(services(world, tmp_path), Options())
    retire(services(world, tmp_path), Options())
    # RDS may take its time to retire the grant of an instance that is gone.
    assert world.grants == [OF_BLUE]
    assert key(world).state == "PendingDeletion"


def test_the_key_stays_disabled_for_the_stated_time_and_then_goes(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path, disabled_for="7d"), Options())
    for _ in range(2):
        with pytest.raises(KeyStaysDisabled) as caught:
            retire(services(world, tmp_path, disabled_for="7d"), Options())
        assert caught.value.exit_code is ExitCode.WAITING_FOR_AWS
        assert "2026-01-08" in caught.value.what
        assert "enable-key" in caught.value.fix
        assert key(world).state == "Disabled"
        assert phase(tmp_path) is Phase.KEY_DISABLED
    shown = render(status(services(world, tmp_path, disabled_for="7d")))
    assert "2026-01-08" in shown
    assert "rotator retire shop" in shown
    world.time += timedelta(days=7)
    retire(services(world, tmp_path, disabled_for="7d"), Options())
    assert key(world).state == "PendingDeletion"
    assert phase(tmp_path) is Phase.RETIRED


def test_another_rotation_may_begin_while_the_key_waits(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path, disabled_for="7d"), Options())
    with pytest.raises(KeyStaysDisabled):
        retire(services(world, tmp_path, disabled_for="7d"), Options())
    rotate(services(world, tmp_path, disabled_for="7d"), Options())
    assert world.record.values[0].startswith("shop-db-g2.")
    with pytest.raises(KeyStaysDisabled):
        retire(services(world, tmp_path, disabled_for="7d"), Options())
    assert "shop-db-g1" not in world.instances
    # The first blue's final copy lies under g1's key; a key that is kept does not hold up the one that waits.
    assert phase(tmp_path) is Phase.KEY_KEPT
    world.time += timedelta(days=7)
    retire(services(world, tmp_path, disabled_for="7d"), Options())
    assert key(world).state == "PendingDeletion"


def test_a_use_that_comes_up_while_the_key_is_disabled_keeps_it(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path, disabled_for="7d"), Options())
    with pytest.raises(KeyStaysDisabled):
        retire(services(world, tmp_path, disabled_for="7d"), Options())
    world.time += timedelta(days=7)
    world.grants.append(VOLUME)
    summary = retire(services(world, tmp_path, disabled_for="7d"), Options())
    assert key(world).state == "Disabled"
    assert any("stays disabled" in note and "vol-1" in note for note in summary.notes)


def test_a_key_that_somebody_enabled_again_is_not_disabled_unasked(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path, disabled_for="7d"), Options())
    with pytest.raises(KeyStaysDisabled):
        retire(services(world, tmp_path, disabled_for="7d"), Options())
    world.keys[OLD_KEY] = replace(key(world), state="Enabled")
    assert "ENABLED again" in render(status(services(world, tmp_path, disabled_for="7d")))
    world.time += timedelta(days=8)
    with pytest.raises(WaitingForApproval) as asked:
        retire(services(world, tmp_path, disabled_for="7d"), Options())
    assert "--approve disable-key" in asked.value.fix
    root = local_keeper("shop", tmp_path).load().root
    assert root is not None
    held = root.generations["g0"].key
    assert held is not None
    assert held.is_enabled, "no plan of another stage may disable it unasked"
    with pytest.raises(KeyStaysDisabled):
        retire(services(world, tmp_path, disabled_for="7d"), Options(approvals=frozenset({"disable-key"})))
    assert key(world).state == "Disabled"
    world.time += timedelta(days=7)
    retire(services(world, tmp_path, disabled_for="7d"), Options())
    assert key(world).state == "PendingDeletion"


def test_a_key_that_was_used_after_it_was_disabled_is_not_scheduled(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path, disabled_for="7d"), Options())
    with pytest.raises(KeyStaysDisabled):
        retire(services(world, tmp_path, disabled_for="7d"), Options())
    world.last_use = LastUse("Decrypt", world.time + timedelta(days=3))
    world.time += timedelta(days=8)
    with pytest.raises(Blocked, match="was used at 2026-01-04"):
        retire(services(world, tmp_path, disabled_for="7d"), Options())
    assert key(world).state == "Disabled"


def test_a_journal_that_does_not_know_since_when_the_key_is_disabled_still_loads(tmp_path: Path) -> None:
    world = new_world()
    rotate(services(world, tmp_path, disabled_for="7d"), Options())
    with pytest.raises(KeyStaysDisabled):
        retire(services(world, tmp_path, disabled_for="7d"), Options())
    path = tmp_path / "journal.json"
    document = json.loads(path.read_text())
    (rotation,) = document["rotations"]
    rotation["phase"] = "key-kept"
    del rotation["steps"]["disable-key"]["outputs"]["disabled_at"]
    path.write_text(json.dumps(document))
    world.time += timedelta(days=7)
    retire(services(world, tmp_path, disabled_for="7d"), Options())
    assert key(world).state == "PendingDeletion"
