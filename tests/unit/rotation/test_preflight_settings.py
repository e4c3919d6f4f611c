"""What preflight knows of blue's settings and of the record before anything is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fakes import BLUE, OLD_KEY, Killed, World, instance, managed_secret, new_world
from rotations import services

from rotator.commands.rotation import rotate
from rotator.commands.services import Services
from rotator.commands.status import status
from rotator.domain.errors import Blocked
from rotator.journal.local import local_keeper
from rotator.journal.results import ParityResult
from rotator.report.status import render
from rotator.rotation.steps.context import Options


def refused(world: World, tmp_path: Path) -> Blocked:
    with pytest.raises(Blocked) as caught:
        rotate(services(world, tmp_path), Options())
    assert not world.applied, "nothing may be made"
    assert world.effects == 0
    return caught.value


def with_tags(world: World, count: int) -> None:
    tags = {f"tag-{number}": "x" for number in range(count)}
    world.instances[BLUE] = replace(world.instances[BLUE], tags=tags)


def test_more_tags_than_aws_allows_are_told_before_anything_is_made(tmp_path: Path) -> None:
    world = new_world()
    with_tags(world, 50)
    found = refused(world, tmp_path)
    assert found.code == "too-many-tags"
    own = 4
    assert f"Remove {own} tags" in found.fix
    assert "rotator:rotation" in found.why


def test_as_many_tags_as_aws_allows_are_no_reason(tmp_path: Path) -> None:
    world = new_world()
    with_tags(world, 46)
    rotate(services(world, tmp_path), Options())
    assert len(world.instances[f"{BLUE}-g1"].tags) == 50


def test_tags_of_the_rotation_before_are_not_counted_twice(tmp_path: Path) -> None:
    world = new_world()
    with_tags(world, 46)
    rotate(services(world, tmp_path), Options())
    rotate(services(world, tmp_path), Options())
    assert len(world.instances[f"{BLUE}-g2"].tags) == 50


def test_a_health_check_on_the_record_is_named(tmp_path: Path) -> None:
    world = new_world()
    world.record = replace(world.record, health_check="hc-1")
    found = refused(world, tmp_path)
    assert found.code == "record-health-check"
    assert "hc-1" in found.what


def managed(world: World) -> World:
    made = instance(BLUE, OLD_KEY, {}, {"instance_class": "db.t4g.micro", "manage_master_user_password": True})
    world.instances[BLUE] = made
    return world


def with_credentials(found: Services, **database: object) -> Services:
    known = found.env.config.database.model_dump() | database
    config = type(found.env.config).model_validate(found.env.config.model_dump() | {"database": known})
    return replace(found, env=found.env.model_copy(update={"config": config}))


def test_a_managed_master_password_is_carried_and_its_new_secret_is_told(tmp_path: Path) -> None:
    world = managed(new_world())
    own = {"secret_id": managed_secret(BLUE)}
    summary = rotate(with_credentials(services(world, tmp_path), credentials=own), Options())
    root = local_keeper("shop", tmp_path).load().root
    assert root is not None
    blue, green = root.generations["g0"].database, root.generations["g1"].database
    assert blue is not None
    assert green is not None
    # An import cannot read it: naming it would modify blue. Green is given it, else it would keep blue's password.
    assert "manage_master_user_password" not in blue.settings
    assert green.settings["manage_master_user_password"] is True
    (told,) = [note for note in summary.notes if note.startswith("master password:")]
    assert managed_secret(f"{BLUE}-g1") in told
    assert managed_secret(BLUE) in told
    assert managed_secret(f"{BLUE}-g1") in render(status(services(world, tmp_path)))


@pytest.mark.parametrize(
    "database",
    [{}, {"credentials": {"password_env": "PW"}, "username": "master"}, {"credentials": {"secret_id": "own/copy"}}],
    ids=["libpq", "variable", "a copy of the secret"],
)
def test_a_login_that_green_would_refuse_is_told_before_anything_is_made(tmp_path: Path, database: dict) -> None:  # type: ignore[type-arg]
    world = managed(new_world())
    if "secret_id" in database.get("credentials", {}):
        database = {**database, "username": "master"}
    with pytest.raises(Blocked) as caught:
        rotate(with_credentials(services(world, tmp_path), **database), Options())
    assert caught.value.code == "managed-login"
    assert managed_secret(BLUE) in caught.value.fix
    assert world.effects == 0


def test_a_user_of_its_own_is_no_reason_against_a_managed_password(tmp_path: Path) -> None:
    world = managed(new_world())
    own = with_credentials(services(world, tmp_path), username="rotator", credentials={"password_env": "PW"})
    rotate(own, Options())
    assert world.record.values[0].startswith(f"{BLUE}-g1.")


def with_raw(world: World, **fields: object) -> World:
    world.instances[BLUE] = replace(world.instances[BLUE], raw={**world.instances[BLUE].raw, **fields})
    return world


INSIGHTS = {"DatabaseInsightsMode": "advanced", "CACertificateIdentifier": "rds-ca-ecc384-g1"}


@pytest.mark.parametrize("after", [False, True])
def test_what_the_restore_lost_is_set_before_the_comparison_and_also_after_a_kill(tmp_path: Path, after: bool) -> None:
    (tmp_path / "count").mkdir()
    names: list[str] = []
    world = with_raw(new_world(), **INSIGHTS)
    plain, world.effect = world.effect, lambda name, do: (names.append(name), plain(name, do))[1]  # type: ignore[method-assign]
    rotate(services(world, tmp_path / "count"), Options())
    assert names.count("modify") == 1
    green = world.instances[f"{BLUE}-g1"]
    assert {field: green.raw[field] for field in INSIGHTS} == INSIGHTS
    done = local_keeper("shop", tmp_path / "count").load().rotations[0].result(ParityResult)
    assert done.set == tuple(sorted(INSIGHTS))
    world = with_raw(new_world(), **INSIGHTS)
    world.kill_at, world.kill_after = names.index("modify") + 1, after
    with pytest.raises(Killed):
        rotate(services(world, tmp_path), Options())
    rotate(services(world, tmp_path), Options())
    assert world.instances[f"{BLUE}-g1"].raw["DatabaseInsightsMode"] == "advanced"


def test_a_difference_that_setting_does_not_mend_is_still_said(tmp_path: Path) -> None:
    world = with_raw(new_world(), **INSIGHTS)
    stubborn = services(world, tmp_path)
    stubborn.rds.modify = lambda identifier, settings: None  # type: ignore[method-assign]
    with pytest.raises(Blocked, match="differs from shop-db in 2 settings"):
        rotate(stubborn, Options())


@pytest.mark.parametrize("ignored", [(), ("TdeCredentialArn",)])
def test_what_cannot_be_given_to_green_is_told_before_anything_is_made(
    tmp_path: Path, ignored: tuple[str, ...]
) -> None:
    world = with_raw(new_world(), TdeCredentialArn="arn:x")
    if ignored:
        rotate(services(world, tmp_path, parity_ignore=list(ignored)), Options())
        return
    assert refused(world, tmp_path).code == "may-be-lost"


PENDING = {"DBParameterGroups": [{"DBParameterGroupName": "orders", "ParameterApplyStatus": "pending-reboot"}]}


def test_a_group_that_waits_for_a_reboot_is_told_before_anything_is_made(tmp_path: Path) -> None:
    found = refused(with_raw(new_world(), **PENDING), tmp_path)
    assert found.code == "unsettled-groups"
    assert "orders (pending-reboot)" in found.what


def apart(waits: bool) -> World:
    """Blue runs with 100 and green is started with 500, because 500 waits for blue's reboot, or by other means."""
    world = new_world()
    world.data[BLUE].running = {"max_connections": ("100", waits), "shared_buffers": ("16384", False)}
    world.started = {"max_connections": ("500", False), "shared_buffers": ("16200", False)}
    return world


@pytest.mark.parametrize("waits", [True, False])
def test_what_the_servers_run_with_is_compared(tmp_path: Path, waits: bool) -> None:
    world = apart(waits)
    with pytest.raises(Blocked) as caught:
        rotate(services(world, tmp_path), Options())
    assert caught.value.details[0] == "max_connections: blue='100' green='500'"
    assert not [line for line in caught.value.details if "shared_buffers" in line], "computed from memory: near enough"


@pytest.mark.parametrize(("waits", "accepted"), [(True, "ParameterApplyStatus"), (False, "max_connections")])
def test_a_difference_that_is_accepted_is_none(tmp_path: Path, waits: bool, accepted: str) -> None:
    world = apart(waits)
    rotate(services(world, tmp_path, parity_ignore=[accepted]), Options())
    assert world.record.values[0].startswith(f"{BLUE}-g1.")


def test_accepting_what_waits_for_a_reboot_accepts_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(Blocked, match="differs from shop-db in 1 settings"):
        rotate(services(apart(waits=False), tmp_path, parity_ignore=["ParameterApplyStatus"]), Options())
