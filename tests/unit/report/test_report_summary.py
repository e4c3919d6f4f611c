import json
from dataclasses import replace

from rotator.report.summary import Summary, render_text, to_json

OLD = "arn:aws:kms:eu-central-1:123456789012:key/old"
NEW = "arn:aws:kms:eu-central-1:123456789012:key/new"
FULL = Summary(
    verb="rotate",
    env="local",
    rotation_id="local-0001",
    strategy="snapshot",
    record="db.shop.internal",
    blue="shop",
    green="shop-g1",
    journal="envs/local/journal.json",
    old_key_arn=OLD,
    new_key_arn=NEW,
    snapshots={"source": "snap-a", "copy": "snap-b"},
    tables_verified=27,
    rows_verified=1_204_331,
    write_pause_seconds=125.0,
    canary={"attempted": 9, "acknowledged": 8, "lost": 0, "doubled": 0, "longest_pause_seconds": 126.4},
    wall_seconds=400,
    waited_seconds=370,
    terraform_seconds=25,
    own_seconds=5,
    next_command="make retire ENV=local",
    notes=("Commit envs/local.",),
)


def test_text_names_all_that_a_person_needs() -> None:
    text = render_text(FULL)
    for part in (
        "rotate local: rotation local-0001, strategy snapshot",
        OLD,
        NEW,
        "shop-g1",
        "source: snap-a",
        "copy: snap-b",
        "1,204,331 rows in 27 tables, blue equals green",
        "2 min 05 s from the fence to the flip",
        "0 lost, 0 doubled of 8 acknowledged writes, longest pause 2 min 06 s",
        "6 min 40 s in all: 6 min 10 s waiting for AWS and the provider, 25 s Terraform, 5.0 s the tool itself",
        "envs/local/journal.json",
        "Commit envs/local.",
    ):
        assert part in text
    assert text.splitlines()[-1].split() == ["next", "make", "retire", "ENV=local"]


def test_what_was_not_verified_is_never_told_as_verified() -> None:
    text = render_text(replace(FULL, tables_verified=None, rows_verified=None))
    assert "data NOT compared by this run" in text
    assert "equals" not in text


def test_an_empty_database_counts_as_compared() -> None:
    assert "0 rows in 0 tables, blue equals green" in render_text(replace(FULL, tables_verified=0, rows_verified=0))


def test_without_canary_and_pause_there_are_no_such_lines() -> None:
    text = render_text(replace(FULL, canary=None, write_pause_seconds=None))
    assert "canary" not in text
    assert "pause" not in text


def test_a_canary_that_says_nothing_is_not_told_as_zero() -> None:
    text = render_text(replace(FULL, canary={}))
    assert "NOT checked: ? acknowledged writes" in text
    assert "None" not in text


def test_json_holds_every_field() -> None:
    document = json.loads(json.dumps(to_json(FULL)))
    assert document["new_key_arn"] == NEW
    assert document["canary"]["lost"] == 0
    assert document["notes"] == ["Commit envs/local."]
    assert set(document) == set(Summary.__dataclass_fields__)
