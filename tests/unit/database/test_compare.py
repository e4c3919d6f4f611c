from rotator.database.compare import (
    LIMIT,
    capped,
    compare_digests,
    compare_extensions,
    compare_schema,
    compare_sequences,
)
from rotator.domain.database import CounterState, TableDigest


def test_equal_sides_have_no_differences() -> None:
    schema = {"table shop.public.item": "d1"}
    digests = {"shop.public.item": TableDigest(3, "x")}
    sequences = {"shop.public.s": CounterState(3, True)}
    assert compare_schema(schema, dict(schema)) == ()
    assert compare_digests(digests, dict(digests)) == ()
    assert compare_sequences(sequences, dict(sequences)) == ()
    assert compare_extensions({"shop.citext": "1.6"}, {"shop.citext": "1.6"}) == ()


def test_schema_names_what_is_missing_added_and_changed() -> None:
    blue = {"table a.b.c": "1", "view a.b.v": "1", "index a.b.i": "1"}
    green = {"table a.b.c": "2", "view a.b.v": "1", "index a.b.j": "1"}
    assert compare_schema(blue, green) == (
        "index a.b.i: only on blue",
        "index a.b.j: only on green",
        "table a.b.c: the definitions differ",
    )


def test_digests_say_rows_or_contents() -> None:
    blue = {"a.b.c": TableDigest(1000, "x"), "a.b.d": TableDigest(5, "x")}
    green = {"a.b.c": TableDigest(999, "y"), "a.b.d": TableDigest(5, "y")}
    assert compare_digests(blue, green) == (
        "table a.b.c: blue has 1,000 rows, green 999",
        "table a.b.d: 5 rows on both sides, but their contents differ",
    )


def test_extensions_name_both_versions() -> None:
    assert compare_extensions({"a.x": "1.0"}, {"a.x": "1.1"}) == ("extension a.x: blue has 1.0, green 1.1",)


def test_sequences_may_be_ahead_on_green_but_not_behind() -> None:
    blue = {"up": CounterState(10, True), "down": CounterState(-10, True, -1), "fresh": CounterState(1, True)}
    ahead = {"up": CounterState(33, True), "down": CounterState(-33, True, -1), "fresh": CounterState(1, True)}
    behind = {"up": CounterState(9, True), "down": CounterState(-9, True, -1), "fresh": CounterState(1, False)}
    assert compare_sequences(blue, ahead) == ()
    assert compare_sequences(blue, behind) == (
        "sequence down: blue is at -10, green behind it at -9",
        "sequence fresh: blue is at 1, green behind it at 1 (not handed out yet)",
        "sequence up: blue is at 10, green behind it at 9",
    )


def test_a_sequence_on_one_side_only_is_named() -> None:
    state = CounterState(1, True)
    assert compare_sequences({"a": state}, {"b": state}) == ("sequence a: only on blue", "sequence b: only on green")


def test_long_lists_are_capped_and_counted() -> None:
    found = capped(f"line {index:02}" for index in range(LIMIT + 7))
    assert len(found) == LIMIT + 1
    assert found[-1] == "... and 7 more"
