"""Reading a saved plan's JSON."""

from typing import Any

import pytest

from rotator.terraform.plan import PlanSummary, changes

RECORD = "module.endpoint.aws_route53_record.this"


def entry(address: str = RECORD, actions: tuple[str, ...] = ("update",), **more: Any) -> dict[str, Any]:
    """A resource change; `before`, `after`, ... go into its change, the rest beside it."""
    inner = {"before", "after", "after_unknown", "importing", "replace_paths"}
    change = {"actions": list(actions), **{name: value for name, value in more.items() if name in inner}}
    outer = {name: value for name, value in more.items() if name not in inner}
    return {"address": address, "mode": "managed", "change": change, **outer}


def read(*entries: dict[str, Any], **more: Any) -> PlanSummary:
    return changes({"resource_changes": list(entries), **more})


def test_an_update_names_what_changes_and_what_is_not_known_yet() -> None:
    summary = read(
        entry(
            before={"ttl": 60, "records": ["a"], "name": "x", "tags": None, "fqdn": "x"},
            after={"ttl": 5, "records": ["a"], "name": "x", "tags": None},
            after_unknown={"fqdn": True, "records": [False], "tags": {}},
        )
    )
    (change,) = summary.changes
    assert change.changed_attributes == ("fqdn", "ttl")
    assert change.actions == ("update",)


def test_unknown_inside_a_list_counts() -> None:
    (change,) = read(
        entry(before={"records": ["a"]}, after={"records": [None]}, after_unknown={"records": [True]})
    ).changes
    assert change.changed_attributes == ("records",)


def test_a_replace_names_what_forces_it() -> None:
    paths = [["kms_key_id"], ["tags", "x"], ["list", 0]]
    (change,) = read(
        entry(actions=("delete", "create"), before={"kms_key_id": "a"}, after={"kms_key_id": "b"}, replace_paths=paths)
    ).changes
    assert change.replace_paths == ("kms_key_id", "tags.x", "list.0")


def test_create_and_delete_name_no_attributes() -> None:
    summary = read(
        entry("a.b", ("create",), before=None, after={"x": 1}, after_unknown={"id": True}),
        entry("a.c", ("delete",), before={"x": 1}, after=None, after_unknown={}),
    )
    assert [change.changed_attributes for change in summary.changes] == [(), ()]


def test_no_ops_are_what_exists_and_data_sources_are_nothing() -> None:
    read_later = entry("data.aws_db_snapshot.x", ("read",), before=None, after={}) | {"mode": "data"}
    summary = read(entry(actions=("no-op",), before={"a": 1}, after={"a": 1}), read_later)
    assert summary.changes == ()
    assert summary.unchanged == {RECORD}


@pytest.mark.parametrize(
    "more", [{"importing": {"id": "x"}}, {"previous_address": "a.b"}, {"deposed": "deadbeef"}], ids=str
)
def test_what_changes_the_state_alone_counts(more: dict[str, Any]) -> None:
    summary = read(entry(actions=("no-op",), before={}, after={}, **more))
    (change,) = summary.changes
    assert (change.importing, change.previous_address, change.deposed) == (
        "importing" in more,
        more.get("previous_address"),
        more.get("deposed"),
    )
    assert summary.unchanged == frozenset()


def test_the_rest_of_the_plan() -> None:
    summary = read(
        resource_drift=[entry(before={"a": 1}, after={"a": 2})],
        output_changes={"new": {"actions": ["create"]}, "old": {"actions": ["no-op"]}},
        checks=[
            {
                "address": {"to_display": "check.serving"},
                "status": "fail",
                "instances": [{"status": "fail", "problems": [{"message": "not available"}]}, {"status": "pass"}],
            },
            {"address": {"to_display": "check.error"}, "status": "error"},
            {"address": {"to_display": "check.later"}, "status": "unknown", "instances": [{"status": "unknown"}]},
        ],
        errored=True,
        complete=False,
    )
    assert [(drift.address, drift.changed_attributes) for drift in summary.drift] == [(RECORD, ("a",))]
    assert summary.outputs == ("new",)
    assert summary.failed_checks == ("check.serving: not available", "check.error: error")
    assert summary.errored
    assert not summary.complete


def test_an_empty_plan() -> None:
    summary = changes({"format_version": "1.2", "complete": True, "errored": False})
    assert summary == PlanSummary((), digest=summary.digest)


def update(ttl: int, noise: str) -> dict[str, Any]:
    return entry(
        before={"id": "i", "ttl": 60, "latest_restorable_time": noise},
        after={"id": "i", "ttl": ttl, "latest_restorable_time": noise},
    )


def test_the_digest_ignores_what_is_not_changed_and_the_order() -> None:
    other = entry("a.b", ("delete",), before={"id": "x", "latest_restorable_time": "1"}, after=None)
    later = entry("a.b", ("delete",), before={"id": "x", "latest_restorable_time": "2"}, after=None)
    assert read(update(5, "monday"), other).digest == read(later, update(5, "tuesday")).digest


@pytest.mark.parametrize(
    "other",
    [
        update(6, "monday"),
        update(5, "monday") | {"address": "x.y"},
        update(5, "monday") | {"deposed": "ab"},
        update(5, "monday") | {"previous_address": "ab"},
        entry(actions=("delete",), before={"id": "i"}, after=None),
    ],
)
def test_the_digest_tells_changes_apart(other: dict[str, Any]) -> None:
    assert read(update(5, "monday")).digest != read(other).digest


def test_no_value_is_in_the_summary() -> None:
    summary = read(entry(before={"password": "hunter2"}, after={"password": "hunter3"}))
    assert "hunter" not in repr(summary)
