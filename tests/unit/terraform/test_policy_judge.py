"""The plan firewall."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.addresses import GATE, RECORD, database, key
from rotator.domain.errors import Blocked, ExitCode
from rotator.domain.root import Stage
from rotator.terraform.expected import Expected
from rotator.terraform.plan import Change, PlanSummary
from rotator.terraform.policy import enforce, judge

CREATE_GREEN = Expected(database("g1"), ("create",))
TTL = Expected(RECORD, ("update",), frozenset({"ttl"}))
FLIP = (
    Expected(RECORD, ("update",), frozenset({"records"}), needs=GATE),
    Expected(GATE, ("create",), also=(("delete", "create"), ("create", "delete"))),
)
IMPORT = Expected(database("g0"), ("update",), frozenset({"apply_immediately"}), importing=True)
RECORDS = Change(RECORD, ("update",), ("records",))


def plan(*changes: Change, unchanged: frozenset[str] = frozenset(), **more: object) -> PlanSummary:
    return PlanSummary(changes, unchanged, **more)  # type: ignore[arg-type]


def refused(summary: PlanSummary, *allowed: Expected, stage: Stage = Stage.GREEN) -> Blocked:
    with pytest.raises(Blocked) as caught:
        enforce(stage, summary, allowed)
    assert caught.value.exit_code is ExitCode.BLOCKED
    assert caught.value.code == "plan-firewall"
    assert caught.value.fix
    return caught.value


def test_exactly_what_is_expected_is_applied() -> None:
    assert enforce(Stage.GREEN, plan(Change(database("g1"), ("create",))), [CREATE_GREEN]) is True


def test_a_replace_names_address_action_attribute_and_way_out() -> None:
    change = Change(database("g0"), ("delete", "create"), ("kms_key_id", "arn"), ("kms_key_id",))
    error = refused(plan(Change(database("g1"), ("create",)), change), CREATE_GREEN)
    assert database("g0") in error.what
    assert "delete then create" in error.what
    assert "kms_key_id" in error.what
    assert "arn" not in error.what
    assert "git diff" in error.fix
    assert "nothing was applied" in error.why


def test_a_tainted_one_has_its_own_way_out() -> None:
    change = Change(database("g1"), ("delete", "create"), action_reason="replace_because_tainted")
    assert "untaint" in refused(plan(change), CREATE_GREEN).fix


@pytest.mark.parametrize(
    "change",
    [
        Change(database("g1"), ("forget",)),
        Change(database("g1"), ("delete",)),
        Change(database("g1"), ("create",), deposed="ab12"),
        Change(database("g1"), ("create",), previous_address="module.old.aws_db_instance.this"),
        Change(database("g1"), ("no-op",), importing=True),
        Change(database("g1"), ("create",), importing=True),
        Change(database("g1"), ("no-op",), previous_address="x.y"),
        Change(database("g1"), ("create", "forget")),
    ],
    ids=str,
)
def test_what_is_refused_even_at_an_expected_address(change: Change) -> None:
    refused(plan(change), CREATE_GREEN)


def test_an_update_of_one_more_attribute_names_only_that() -> None:
    summary = plan(Change(RECORD, ("update",), ("records", "ttl")))
    (violation,) = judge(Stage.LOWER_TTL, summary, [TTL])
    assert violation.attributes == ("records",)


def test_an_update_with_no_named_attributes_is_refused_where_none_may_change() -> None:
    only_gate = Expected(RECORD, ("update",), frozenset())
    assert judge(Stage.ADOPT, plan(Change(RECORD, ("update",), ("ttl",))), [only_gate])


@pytest.mark.parametrize("actions", [("create",), ("delete", "create"), ("create", "delete")])
def test_the_flip_with_a_new_gate(actions: tuple[str, ...]) -> None:
    assert enforce(Stage.CUTOVER, plan(RECORDS, Change(GATE, actions)), FLIP)


@pytest.mark.parametrize(
    "summary",
    [
        plan(RECORDS, unchanged=frozenset({GATE})),
        plan(RECORDS),
        plan(RECORDS, Change(GATE, ("update",), ("input",))),
        plan(RECORDS, Change(GATE, ("delete",))),
    ],
    ids=["gate passed before", "no gate", "gate updated", "gate removed"],
)
def test_the_flip_without_a_new_gate_is_refused(summary: PlanSummary) -> None:
    refused(summary, *FLIP, stage=Stage.CUTOVER)


@pytest.mark.parametrize(
    "change",
    [
        Change(database("g0"), ("no-op",), importing=True),
        Change(database("g0"), ("update",), ("apply_immediately",), importing=True),
        Change(database("g0"), ("update",), ("apply_immediately",)),
    ],
    ids=["pure", "with provider's own", "second half of a cut-off import"],
)
def test_imports(change: Change) -> None:
    assert enforce(Stage.ADOPT, plan(change), [IMPORT])


@pytest.mark.parametrize(
    "change",
    [
        Change(database("g0"), ("update",), ("apply_immediately", "password"), importing=True),
        Change(database("g0"), ("delete", "create"), (), ("kms_key_id",), importing=True),
        Change(database("g0"), ("create",)),
        Change(database("g0"), ("no-op",), previous_address="x.y"),
    ],
    ids=str,
)
def test_imports_that_would_touch_something_real(change: Change) -> None:
    refused(plan(change), IMPORT, stage=Stage.ADOPT)


def test_all_is_done_already() -> None:
    allowed = [CREATE_GREEN, TTL, Expected(key("g0"), ("delete",))]
    done = plan(unchanged=frozenset({database("g1"), RECORD}))
    assert enforce(Stage.GREEN, done, allowed) is False


def test_the_rest_of_a_cut_off_apply() -> None:
    allowed = [CREATE_GREEN, TTL]
    rest = plan(Change(RECORD, ("update",), ("ttl",)), unchanged=frozenset({database("g1")}))
    assert enforce(Stage.GREEN, rest, allowed) is True


@pytest.mark.parametrize(
    ("allowed", "unchanged"),
    [
        (CREATE_GREEN, frozenset()),
        (TTL, frozenset()),
        (Expected(key("g0"), ("delete",)), frozenset({key("g0")})),
        (IMPORT, frozenset()),
    ],
    ids=["create", "update", "delete", "import"],
)
def test_a_root_that_does_not_plan_what_its_data_says(allowed: Expected, unchanged: frozenset[str]) -> None:
    error = refused(plan(unchanged=unchanged), allowed)
    assert "expected" in error.what
    assert "render" in error.fix
    assert enforce(Stage.GREEN, plan(unchanged=unchanged), [replace(allowed, optional=True)]) is False


@pytest.mark.parametrize(
    "summary",
    [plan(errored=True), plan(complete=False), plan(failed_checks=("check.x: no",))],
    ids=["errored", "incomplete", "failing check"],
)
def test_a_plan_that_is_not_whole(summary: PlanSummary) -> None:
    refused(summary)


def test_all_violations_are_told() -> None:
    error = refused(plan(Change("a.b", ("delete",)), Change("c.d", ("forget",))))
    assert len(error.details) == 2


ADDRESSES = [database("g0"), database("g1"), key("g0"), key("g1"), RECORD, GATE, "aws_s3_bucket.other"]
addresses = st.sampled_from(ADDRESSES)
constructive = st.sampled_from([("create",), ("update",)])
destructive = st.sampled_from(
    [("delete",), ("delete", "create"), ("create", "delete"), ("forget",), ("create", "forget")]
)
rules = st.lists(st.builds(Expected, addresses, constructive), unique_by=lambda item: item.address)


@st.composite
def permitted(draw: st.DrawFn) -> tuple[list[Expected], list[Change]]:
    """Any rules, and exactly their changes in any order."""
    allowed = draw(rules)
    made = [Change(item.address, item.actions, ("x",) if item.actions == ("update",) else ()) for item in allowed]
    return allowed, draw(st.permutations(made))


@given(permitted())
def test_any_order_of_what_is_allowed_is_accepted(case: tuple[list[Expected], list[Change]]) -> None:
    allowed, made = case
    assert judge(Stage.GREEN, plan(*made), allowed) == ()


@given(permitted(), addresses, destructive, st.integers(0, 10), st.booleans())
def test_any_destruction_that_is_not_expected_is_refused(
    case: tuple[list[Expected], list[Change]], address: str, actions: tuple[str, ...], place: int, importing: bool
) -> None:
    allowed, made = case
    made = [change for change in made if change.address != address]
    made.insert(min(place, len(made)), Change(address, actions, importing=importing))
    violations = judge(Stage.GREEN, plan(*made), allowed)
    assert address in {violation.address for violation in violations}


@given(permitted(), addresses)
def test_any_change_at_an_address_that_no_rule_names_is_refused(
    case: tuple[list[Expected], list[Change]], address: str
) -> None:
    allowed, made = case
    without = [item for item in allowed if item.address != address]
    violations = judge(Stage.GREEN, plan(*made, Change(address, ("update",), ("x",))), without)
    assert address in {violation.address for violation in violations}


def test_a_clone_that_is_older_than_the_state_is_told_so() -> None:
    change = Change(database("g2"), ("delete",), action_reason="delete_because_each_key")
    error = refused(plan(Change(database("g1"), ("create",)), change), CREATE_GREEN)
    assert "older than the last rotation" in error.fix
    assert "manual" not in error.fix
