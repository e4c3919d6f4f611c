"""Which rotation a command works on: the one under way, or a new one. Pure."""

from __future__ import annotations

from dataclasses import replace

from rotator.config.schema import Env
from rotator.domain.env_files import CONFIG_FILE
from rotator.domain.errors import Blocked
from rotator.domain.naming import base_identifier, plan_rotation
from rotator.domain.rotation import Rotation, Strategy
from rotator.journal.document import RETIRABLE, Journal, Phase, RotationRecord
from rotator.journal.results import AdoptResult, PreflightResult
from rotator.journal.results_retire import CleanUpResult, DisableKeyResult, RetireKeyResult
from rotator.journal.step_record import Status
from rotator.rotation.fixed_config import fixed, refuse_changed

_UNDER_WAY = frozenset({Status.INTENDED, Status.ACTED})
NOTHING = frozenset({Status.NONE, Status.UNDONE})


def begin(env: Env, journal: Journal, now: str, nonce: str) -> tuple[Journal, RotationRecord]:
    """The rotation under way, or a new one with the next generation's name and that nonce.

    A rotation that never got past preflight is planned anew, so that a corrected rotation.toml counts. Raises Blocked
    while a rollback is unfinished.
    """
    current = journal.current()
    if current is not None and current.phase is Phase.ROLLING_BACK:
        raise Blocked(
            f"Rotation {current.rotation.id} is being rolled back.",
            why="A rollback that has begun must end before the next rotation.",
            fix=f"rotator rollback {env.name}",
            code="rollback-unfinished",
        )
    _refuse_another_database(env, journal)
    _refuse_half_retired(env, journal)
    _refuse_open_way_back(env, journal)
    if current is not None and not untouched(journal, current):
        refuse_changed(env, current)
        return journal, current
    number = int(current.rotation.target.removeprefix("g")) if current is not None else journal.next_generation
    record = RotationRecord(
        replace(_names(env, journal, number), nonce=nonce), Phase.ROTATING, now, fixed=fixed(env.config)
    )
    kept = tuple(r for r in journal.rotations if current is None or r.rotation.id != current.rotation.id)
    begun = replace(journal, next_generation=number + 1, rotations=kept).with_rotation(record)
    return begun, record


def goes_on(journal: Journal) -> bool:
    """Whether a rotation or a rollback is under way that has made something."""
    current = journal.current()
    return current is not None and not untouched(journal, current)


def to_retire(env: Env, journal: Journal) -> tuple[RotationRecord, ...]:
    """The oldest rotation whose blue is still there, then all of which only the old key is left.

    Raises Blocked when there is none.
    """
    current = journal.current()
    if current is not None and goes_on(journal):
        raise Blocked(
            f"Rotation {current.rotation.id} is {current.phase}: nothing is retired meanwhile.",
            why="Both work on the same root, and retiring would take the marker that the other rotation needs.",
            fix=f"Finish taking it back first: rotator rollback {env.name}"
            if current.phase is Phase.ROLLING_BACK
            else f"Finish it (rotator rotate {env.name}) or take it back (rotator rollback {env.name}) first.",
            code="rotation-unfinished",
        )
    for record in journal.rotations:
        refuse_changed(env, record)
    waiting = [r for r in journal.rotations if r.phase in RETIRABLE]
    # A stage that was cut off must end before another one begins.
    keys = sorted((r for r in waiting if r.blue_gone), key=lambda r: not cut_off(journal, r))
    found = (*[r for r in waiting if not r.blue_gone][:1], *keys)
    if keys and cut_off(journal, keys[0]):
        found = (keys[0], *[r for r in found if r is not keys[0]])
    if not found:
        where = f"Rotation {current.rotation.id} is {current.phase}." if current else "No rotation is waiting for it."
        raise Blocked(
            f"There is nothing to retire in {env.name}.",
            why=where,
            fix=f"rotator status {env.name}",
            code="nothing-to-retire",
        )
    return found


def to_roll_back(env: Env, journal: Journal) -> RotationRecord:
    """The youngest rotation, unless its blue is gone; raises Blocked when there is none."""
    latest = journal.latest()
    if latest is not None and latest.phase is Phase.ROLLED_BACK and left_behind(latest):
        return latest
    if latest is None or latest.phase is Phase.ROLLED_BACK:
        raise Blocked(
            f"There is no rotation to roll back in {env.name}.",
            why=f"The latest, {latest.rotation.id}, has been rolled back already." if latest else "None was begun.",
            fix=f"rotator status {env.name}",
            code="no-rotation",
        )
    refuse_changed(env, latest)
    if latest.blue_gone:
        raise already_retired(latest.rotation, "It is gone.")
    return latest


def already_retired(rotation: Rotation, why: str) -> Blocked:
    """The refusal to take back a rotation whose blue can no longer take the applications back."""
    return Blocked(
        f"Rotation {rotation.id} cannot be rolled back: {rotation.blue} is being retired.",
        why=f"{why} Its data is in the final snapshot and in green.",
        fix=f"Rotate again for another key; to go back in time, restore {rotation.final_copy} by hand.",
        code="already-retired",
    )


def left_behind(record: RotationRecord) -> tuple[str, ...]:
    """Tables of blue that still carry an idle trigger of a rotation that has been rolled back."""
    return tuple(record.result(CleanUpResult).left or ())


def untouched(journal: Journal, record: RotationRecord) -> bool:
    """Nothing was made yet: at most the adoption was tried, and refused."""
    tried = {PreflightResult.step}
    if journal.root is None and journal.pending is None:
        tried.add(AdoptResult.step)
    return all(step.status in NOTHING for name, step in record.steps.items() if name not in tried)


def cut_off(journal: Journal, record: RotationRecord) -> bool:
    """Whether a stage about that rotation's old key was begun, and has not ended."""
    steps = (record.step(name).status for name in (DisableKeyResult.step, RetireKeyResult.step))
    return journal.pending is not None and record.blue_gone and any(status in _UNDER_WAY for status in steps)


def _refuse_half_retired(env: Env, journal: Journal) -> None:
    for record in journal.rotations:
        retiring = record.phase is Phase.RETIRING and not record.blue_gone
        if retiring or cut_off(journal, record):
            what = f"{record.rotation.blue} is being retired" if retiring else "A stage of the old key was interrupted"
            raise Blocked(
                f"{what} (rotation {record.rotation.id}).",
                why="Both would work on the same root.",
                fix=f"Finish it first: rotator retire {env.name}",
                code="retire-unfinished",
            )


def _refuse_open_way_back(env: Env, journal: Journal) -> None:
    soaking = next(
        (r for r in journal.rotations if r.phase is Phase.SOAKING and r.rotation.strategy is Strategy.REPLICATE), None
    )
    if soaking is not None:
        raise Blocked(
            f"{soaking.rotation.blue} still follows {soaking.rotation.green} (rotation {soaking.rotation.id}).",
            why="The next rotation would abandon that reverse replication (step way-back) and its slots.",
            fix=f"Retire it first (rotator retire {env.name}), or take it back (rotator rollback {env.name}).",
            code="retire-first",
        )


def _refuse_another_database(env: Env, journal: Journal) -> None:
    """rotation.toml names blue at its adoption; once adopted, another name is another database, so another env."""
    database = journal.root.generations[journal.root.serving].database if journal.root is not None else None
    if database is None:
        return
    named, known = env.config.database.identifier, database.identifier
    if named in (known, base_identifier(known)) or base_identifier(named) == base_identifier(known):
        return
    raise Blocked(
        f"rotation.toml names the database {named}, but this env has adopted {known}.",
        why="The journal and Terraform's state describe the adopted one.",
        fix=f"Put the old identifier back in {env.path / CONFIG_FILE}; another database needs an env of its own.",
        code="another-database",
    )


def _names(env: Env, journal: Journal, number: int) -> Rotation:
    source, blue = "g0", env.config.database.identifier
    if journal.root is not None:
        source = journal.root.serving
        database = journal.root.generations[source].database
        blue = database.identifier if database is not None else blue
    return plan_rotation(
        env.name,
        blue,
        source,
        f"g{number}",
        key_alias=env.config.key.alias,
        strategy=Strategy(env.config.rotation.strategy),
    )
