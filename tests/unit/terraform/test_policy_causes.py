"""A refusal names the real cause: what it says depends on the stage and on the attributes, never "undo" by default."""

from __future__ import annotations

import pytest

from rotator.domain.addresses import RECORD, alias, database, key
from rotator.domain.root import Stage
from rotator.terraform.expected import Expected
from rotator.terraform.plan import Change, PlanSummary
from rotator.terraform.policy import judge

IMPORTS = tuple(
    Expected(address, ("update",), frozenset({"apply_immediately"}), importing=True)
    for address in (RECORD, database("g0"), key("g0"), alias("g0"))
)


def fix(stage: Stage, change: Change) -> str:
    rules = IMPORTS if stage is Stage.ADOPT else ()
    first, *_ = [v for v in judge(stage, PlanSummary((change,)), rules) if v.address == change.address]
    return first.fix


def imported(address: str, *attributes: str) -> Change:
    return Change(address, ("update",), attributes, importing=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (imported(database("g0"), "tags_all"), "TF_AWS_DEFAULT_TAGS_"),
        (imported(key("g0"), "tags", "tags_all"), "default_tags"),
        (imported(RECORD, "health_check_id"), "health check"),
        (imported(RECORD, "set_identifier", "weighted_routing_policy"), "routing policy"),
        (imported(database("g0"), "parameter_group_name"), "parameter_group_name was changed meanwhile"),
        (imported(key("g0"), "policy"), "policy was changed meanwhile"),
        (Change(database("g0"), ("delete", "create"), ("kms_key_id",), ("kms_key_id",)), "kms_key_id was changed"),
        (Change(RECORD, ("create",)), "still exists in AWS"),
        (Change("module.x.aws_s3_bucket.this", ("create",)), "still exists in AWS"),
    ],
)
def test_no_refusal_of_an_adoption_blames_the_root(change: Change, said: str) -> None:
    told = fix(Stage.ADOPT, change)
    assert said in told
    assert "undo the manual change" not in told


def test_a_key_that_was_enabled_by_hand_sends_to_the_same_command() -> None:
    assert "run the same command again" in fix(Stage.LOWER_TTL, Change(key("g0"), ("update",), ("is_enabled",)))


def test_tags_that_come_from_elsewhere_are_told_in_every_stage() -> None:
    assert "default_tags" in fix(Stage.GREEN, Change(database("g0"), ("update",), ("tags", "tags_all")))
    # Tags beside something else are not the cause.
    assert "git diff" in fix(Stage.GREEN, Change(database("g0"), ("update",), ("tags", "port")))
