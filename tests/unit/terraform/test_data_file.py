"""The root's data: what is written is what is read, damaged files are refused, files are there whole or not at all."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.errors import ConfigError
from rotator.domain.root import DatabaseSpec, EndpointSpec, Generation, Imports, KeySpec, RootData
from rotator.domain.root_json import from_json, to_json, to_text
from rotator.host.data_file import write_data

names = st.from_regex(r"\Ag[0-9]{1,3}\Z")
texts = st.text(max_size=20)
tags = st.dictionaries(texts, texts, max_size=3)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
keys = st.builds(
    KeySpec,
    alias=st.none() | texts,
    description=texts,
    policy=st.none() | texts,
    administrators=st.lists(texts, max_size=2).map(tuple),
    users=st.lists(texts, max_size=2).map(tuple),
    rds_callers=st.none() | st.lists(texts, max_size=2).map(tuple),
    enable_key_rotation=st.booleans(),
    rotation_period_in_days=st.none() | st.integers(90, 2560),
    deletion_window_in_days=st.integers(7, 30),
    multi_region=st.booleans(),
    is_enabled=st.booleans(),
    tags=tags,
)
databases = st.builds(
    DatabaseSpec,
    identifier=texts,
    settings=st.dictionaries(texts, scalars | st.lists(texts, max_size=3), max_size=5),
    snapshot_identifier=st.none() | texts,
    kms_key_arn=st.none() | texts,
    deletion_protection=st.booleans(),
    skip_final_snapshot=st.booleans(),
    delete_automated_backups=st.booleans(),
    tags=tags,
)

records = st.builds(EndpointSpec, st.sampled_from(["Z1", "Z2"]), texts, st.integers(1, 86400), st.none() | texts)


@st.composite
def roots(draw: st.DrawFn) -> RootData:
    generations = draw(
        st.dictionaries(names, st.builds(Generation, st.none() | keys, st.none() | databases), min_size=1, max_size=4)
    )
    ids = st.dictionaries(names, texts, max_size=2)
    return RootData(
        generations=generations,
        serving=draw(st.sampled_from(sorted(generations))),
        endpoint=draw(st.builds(EndpointSpec, st.just("Z0"), texts, st.integers(1, 86400))),
        also=draw(st.builds(tuple, st.lists(records, max_size=2, unique_by=lambda each: each.key))),
        gate=draw(st.none() | texts),
        imports=draw(st.builds(Imports, ids, ids, ids, st.none() | texts, ids)),
    )


def root() -> RootData:
    database = DatabaseSpec("shop-db", {"port": 5432, "engine": "postgres", "vpc_security_group_ids": ["sg-1"]})
    return RootData({"g0": Generation(KeySpec("alias/shop", "d"), database)}, "g0", EndpointSpec("Z1", "db.x.org", 60))


@given(roots())
def test_what_is_written_is_what_is_read(data: RootData) -> None:
    assert from_json(json.loads(to_text(data))) == data


@given(roots())
def test_equal_data_is_the_same_text(data: RootData) -> None:
    turned = replace(data, generations=dict(reversed(data.generations.items())))
    assert to_text(from_json(to_json(turned))) == to_text(data)


def test_the_contract_with_the_root() -> None:
    assert to_json(root()) == {
        "generations": {
            "g0": {
                "key": {
                    "alias": "alias/shop",
                    "description": "d",
                    "policy": None,
                    "administrators": [],
                    "users": [],
                    "rds_callers": None,
                    "enable_key_rotation": True,
                    "rotation_period_in_days": 365,
                    "deletion_window_in_days": 30,
                    "multi_region": False,
                    "is_enabled": True,
                    "tags": {},
                },
                "database": {
                    "identifier": "shop-db",
                    "settings": {"engine": "postgres", "port": 5432, "vpc_security_group_ids": ["sg-1"]},
                    "snapshot_identifier": None,
                    "kms_key_arn": None,
                    "deletion_protection": False,
                    "skip_final_snapshot": False,
                    "delete_automated_backups": False,
                    "tags": {},
                },
            }
        },
        "serving": "g0",
        "endpoint": {"zone_id": "Z1", "name": "db.x.org", "ttl": 60, "spelling": None},
        "also": [],
        "gate": None,
        "imports": {"keys": {}, "aliases": {}, "databases": {}, "record": None, "also": {}},
    }


def test_data_of_an_older_version_is_read() -> None:
    old = to_json(root())
    del old["also"], old["endpoint"]["spelling"], old["imports"]["also"], old["generations"]["g0"]["key"]["rds_callers"]
    assert from_json(old) == root()


def test_a_record_that_is_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="named twice"):
        from_json(to_json(replace(root(), also=(root().endpoint,))))


def test_generations_are_in_their_natural_order() -> None:
    none = Generation(None, None)
    data = replace(root(), generations={"g10": none, "g2": none, **root().generations})
    assert list(to_json(data)["generations"]) == ["g0", "g2", "g10"]


def test_text_is_not_escaped_and_ends_in_a_newline() -> None:
    data = replace(root(), gate="/tmp/ü ${x}")
    assert '"gate": "/tmp/ü ${x}"' in to_text(data)
    assert to_text(data).endswith("}\n")


def damaged(*path: str, value: Any) -> dict[str, Any]:
    """The contract's document with one value replaced (at its end, `...` takes it away)."""
    document = to_json(root())
    place = document
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("document", "names"),
    [
        (damaged("serving", value=...), "serving"),
        (damaged("serving", value="g7"), "g7"),
        (damaged("endpoint", "ttl", value="60"), "endpoint.ttl"),
        (damaged("endpoint", "ttl", value=True), "endpoint.ttl"),
        (damaged("generations", value=[]), "generations"),
        (damaged("generations", "g0", "key", value="alias"), "generations.g0.key"),
        (damaged("generations", "g0", "database", "identifier", value=...), "generations.g0.database.identifier"),
        (damaged("generations", "g0", "key", "colour", value="red"), "generations.g0.key.colour"),
        (damaged("surprise", value=1), "surprise"),
        (damaged("imports", "record", value=5), "imports.record"),
        (damaged("gate", value=float("nan")), "float"),
        ({}, "generations"),
    ],
)
def test_damage_is_named(document: dict[str, Any], names: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_json(document)
    assert names in " ".join((caught.value.what, *caught.value.details))
    assert caught.value.fix


def test_a_damaged_value_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        from_json(damaged("endpoint", "name", value=["hunter2"]))
    assert "hunter2" not in " ".join((caught.value.what, caught.value.why, *caught.value.details))


def test_a_file_is_replaced_and_nothing_is_left_over(tmp_path: Path) -> None:
    file = tmp_path / "new" / "generations.auto.tfvars.json"
    write_data(file, root())
    write_data(file, replace(root(), gate="/g"))
    assert from_json(json.loads(file.read_text(encoding="utf-8"))).gate == "/g"
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    write_data(file, root())
    before = file.read_text(encoding="utf-8")
    with pytest.raises(UnicodeEncodeError):
        write_data(file, replace(root(), gate="/\ud800"))
    assert file.read_text(encoding="utf-8") == before
    assert [entry.name for entry in tmp_path.iterdir()] == [file.name]


def test_a_file_that_says_so_already_is_left_as_it_is_and_any_other_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    write_data(file, root())
    written = file.stat().st_ino
    write_data(file, root())
    assert file.stat().st_ino == written
    file.write_text("half a fi", encoding="utf-8")
    write_data(file, root())
    assert from_json(json.loads(file.read_text(encoding="utf-8"))) == root()
