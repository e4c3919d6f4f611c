"""What each stage may change."""

from dataclasses import replace

import pytest

from rotator.domain.addresses import GATE, RECORD, alias, also, database, key
from rotator.domain.root import DatabaseSpec, EndpointSpec, Generation, Imports, KeySpec, RootData, Stage
from rotator.terraform.policy import describe, expected

KEY = KeySpec(alias="alias/orders", description="orders")
BLUE = Generation(KEY, DatabaseSpec("orders-g0", {}, deletion_protection=True))
GREEN = Generation(replace(KEY, alias="alias/orders-g1"), DatabaseSpec("orders-g1", {}, snapshot_identifier="copy"))
START = RootData({"g0": BLUE}, "g0", EndpointSpec("Z1", "db.example.org", 60))
KEYED = replace(START, generations={"g0": BLUE, "g1": replace(GREEN, database=None)})
LOWERED = replace(KEYED, endpoint=replace(START.endpoint, ttl=5))
BOTH = replace(LOWERED, generations={"g0": BLUE, "g1": GREEN})
FLIPPED = replace(BOTH, serving="g1", gate="/run/gate-1")
UNGATED = replace(FLIPPED, gate=None)
UNPROTECTED = replace(
    UNGATED,
    generations={"g0": replace(BLUE, database=DatabaseSpec("orders-g0", {}, skip_final_snapshot=True)), "g1": GREEN},
)
RESTORED = replace(UNPROTECTED, endpoint=START.endpoint)
GONE = replace(RESTORED, generations={"g0": replace(BLUE, database=None), "g1": GREEN})
DISABLED = replace(GONE, generations={"g0": Generation(replace(KEY, is_enabled=False), None), "g1": GREEN})
END = replace(DISABLED, generations={"g1": GREEN})

JOURNEY = [
    (Stage.KEY, START, KEYED, (f"+ {key('g1')}", f"+ {alias('g1')}")),
    (Stage.LOWER_TTL, KEYED, LOWERED, (f"~ {RECORD} (ttl)",)),
    (Stage.GREEN, LOWERED, BOTH, (f"+ {database('g1')}",)),
    (Stage.CUTOVER, BOTH, FLIPPED, (f"~ {RECORD} (records)", f"+ {GATE}")),
    (Stage.UNGATE, FLIPPED, UNGATED, (f"- {GATE}",)),
    (
        Stage.UNPROTECT,
        UNGATED,
        UNPROTECTED,
        (
            f"~ {database('g0')} (apply_immediately, delete_automated_backups, deletion_protection, "
            "final_snapshot_identifier, skip_final_snapshot)",
        ),
    ),
    (Stage.RESTORE_TTL, UNPROTECTED, RESTORED, (f"~ {RECORD} (ttl)",)),
    (Stage.RETIRE_DATABASE, RESTORED, GONE, (f"- {database('g0')}",)),
    (Stage.DISABLE_KEY, GONE, DISABLED, (f"~ {key('g0')} (deletion_window_in_days, is_enabled)",)),
    (Stage.RETIRE_KEY, DISABLED, END, (f"- {key('g0')}", f"- {alias('g0')}")),
    (Stage.ROLLBACK_CUTOVER, FLIPPED, replace(BOTH, gate="/run/gate-2"), (f"~ {RECORD} (records)", f"+ {GATE}")),
    (
        Stage.ROLLBACK,
        replace(FLIPPED, serving="g0"),
        START,
        (f"- {database('g1')}", f"- {key('g1')}", f"- {alias('g1')}", f"~ {RECORD} (ttl)", f"- {GATE}"),
    ),
]


@pytest.mark.parametrize(("stage", "before", "after", "lines"), JOURNEY, ids=[str(row[0]) for row in JOURNEY])
def test_the_changes_of_a_rotation(stage: Stage, before: RootData, after: RootData, lines: tuple[str, ...]) -> None:
    assert describe(stage, before, after) == lines


@pytest.mark.parametrize("stage", list(Stage))
def test_every_stage_has_expectations(stage: Stage) -> None:
    assert expected(stage, START, START) is not None


def test_adopt_imports_what_the_data_says() -> None:
    imports = Imports({"g0": "key-id"}, {"g0": "alias/orders"}, {"g0": "orders"}, "Z1_db_CNAME")
    data = replace(START, imports=imports)
    assert describe(Stage.ADOPT, data, data) == (
        f"< {key('g0')}",
        f"< {alias('g0')}",
        f"< {database('g0')}",
        f"< {RECORD}",
    )
    assert describe(Stage.ADOPT, data, replace(data, imports=Imports(databases={"g0": "x"}))) == (
        f"< {database('g0')}",
    )


FURTHER = (EndpointSpec("Z1", "legacy.example.org", 300), EndpointSpec("Z2", "db.example.org", 5))
MORE = [also(each.key) for each in FURTHER]


def test_further_records_change_in_the_same_stages_and_never_without_the_gate() -> None:
    more, short = replace(BOTH, also=FURTHER), (replace(FURTHER[0], ttl=5), FURTHER[1])
    assert describe(Stage.LOWER_TTL, replace(KEYED, also=FURTHER), replace(LOWERED, also=short)) == (
        f"~ {RECORD} (ttl)",
        f"~ {MORE[0]} (ttl)",
    )
    for stage in (Stage.CUTOVER, Stage.ROLLBACK_CUTOVER):
        flips = expected(stage, more, replace(more, gate="/run/gate-1"))
        records = [item for item in flips if item.address in (RECORD, *MORE)]
        assert len(records) == 3
        assert all(item.needs == GATE and item.attributes == {"records"} for item in records)
    imports = Imports(also={FURTHER[0].key: "Z1_legacy.example.org_CNAME"})
    assert describe(Stage.ADOPT, more, replace(more, imports=imports)) == (f"< {MORE[0]}",)
    assert all(item.address not in MORE for item in expected(Stage.GREEN, more, more))


def test_adopt_lets_through_only_what_aws_does_not_know() -> None:
    imports = Imports({"g0": "key-id"}, {"g0": "alias/orders"}, {"g0": "orders"}, "Z1_db_CNAME")
    data = replace(START, imports=imports)
    names = set().union(*(item.attributes or () for item in expected(Stage.ADOPT, data, data) if item.importing))
    assert "tags" not in names
    assert "password" not in names
    assert "rotation_period_in_days" not in names
    assert "kms_key_id" not in names


def test_a_key_without_alias_has_no_alias_to_make_or_remove() -> None:
    without_identity = replace(KEYED, generations={"g0": BLUE, "g1": Generation(replace(KEY, alias=None), None)})
    assert describe(Stage.KEY, START, without_identity) == (f"+ {key('g1')}",)
    assert describe(Stage.RETIRE_KEY, without_identity, START) == (f"- {key('g1')}",)


def test_a_key_that_is_not_ours_is_not_retired() -> None:
    foreign = replace(START, generations={"g0": Generation(None, None), "g1": GREEN})
    assert describe(Stage.RETIRE_KEY, foreign, END) == ()


def test_a_rollback_that_keeps_greens_key() -> None:
    assert describe(Stage.ROLLBACK, BOTH, LOWERED) == (f"- {database('g1')}",)


def test_a_left_over_gate_may_go_with_any_stage_but_need_not() -> None:
    gates = [item for item in expected(Stage.KEY, START, KEYED) if item.address == GATE]
    assert [(item.actions, item.optional) for item in gates] == [(("delete",), True)]


def test_a_gate_in_use_does_not_go() -> None:
    after = replace(UNPROTECTED, gate="/run/gate-1")
    assert all(item.address != GATE for item in expected(Stage.UNPROTECT, FLIPPED, after))


def test_what_a_rollback_removes_next_may_be_half_made_and_what_stays_may_not_change_besides() -> None:
    goes = replace(
        BOTH,
        generations={
            "g0": BLUE,
            "g1": replace(GREEN, database=DatabaseSpec("orders-g1", {}, skip_final_snapshot=True)),
        },
    )
    (rule,) = [item for item in expected(Stage.ROLLBACK_UNPROTECT, BOTH, goes) if item.address == database("g1")]
    assert (rule.actions, rule.attributes, rule.also) == (("update",), None, ())
    (stays,) = [item for item in expected(Stage.ROLLBACK_UNPROTECT, UNPROTECTED, UNGATED) if not item.optional]
    assert stays.address == database("g0")
    assert stays.attributes is not None
    assert "instance_class" not in stays.attributes


def test_what_a_rollback_takes_in_first_is_in_its_data_already() -> None:
    """Terraform was killed while AWS made it: the journal's data has it, the state has not."""
    taken = replace(BOTH, imports=Imports(databases={"g1": "orders-g1"}))
    assert describe(Stage.GREEN, BOTH, taken) == (f"< {database('g1')}",)
    taken = replace(KEYED, imports=Imports(keys={"g1": "1-2-3"}, aliases={"g1": "alias/orders-g1"}))
    assert describe(Stage.KEY, KEYED, taken) == (f"< {key('g1')}", f"< {alias('g1')}")
    taken = replace(KEYED, imports=Imports(aliases={"g1": "alias/orders-g1"}))
    assert describe(Stage.KEY, KEYED, taken) == (f"< {alias('g1')}",)
    assert (describe(Stage.GREEN, BOTH, BOTH), describe(Stage.KEY, BOTH, BOTH)) == ((), ())
