import json
from dataclasses import replace

import pytest
from psycopg import sql

from rotator.database.postgres.compare.checksum import Column
from rotator.database.postgres.compare.chunk_scanner import BlueSide
from rotator.database.postgres.compare.chunks import Chunk, merged, told
from rotator.database.postgres.compare.digest import above, row_digest, up_to
from rotator.database.postgres.compare.reader import Content, Reader, Shape
from rotator.database.postgres.compare.reconciliation import CONFIRM, ROUNDS, Listing, Outcome, RowReconciliation, look
from rotator.database.postgres.compare.tally import Tally
from rotator.database.postgres.reading.owners import Seen

CHUNK = Chunk("shop", "public", "item", ("id",), ("1",), ("9",))
K = ("5",)


def rows(**found: str) -> dict[tuple[str, ...], Content]:
    """k5='value/version' -> contents of the row with key 5."""
    listing = {}
    for key, text in found.items():
        value, version = text.split("/")
        listing[key[1:],] = Content(1, hash(value), version)
    return listing


def play(*rounds: tuple[Listing, Listing], chunk: Chunk = CHUNK) -> list[Outcome]:
    """What each round gives, until one gives no watch to go on with."""
    reconciliation: RowReconciliation | None = RowReconciliation(chunk)
    outcomes = []
    for blue, green in rounds:
        if reconciliation is None:
            break
        outcomes.append(look(reconciliation, blue, green))
        reconciliation = outcomes[-1].reconciliation
    return outcomes


# --- watch -----------------------------------------------------------------------------------------------------------


def test_equal_rows_are_settled_at_once() -> None:
    (only,) = play((rows(k5="a/1", k6="b/1"), rows(k5="a/x", k6="b/x")))
    assert (only.reconciliation, only.unsettled, only.differences) == (None, None, ())
    assert (only.rows, only.total) == (2, hash("a") + hash("b"))


@pytest.mark.parametrize(
    ("blue", "green", "words"),
    [
        (rows(k5="a/1"), rows(k5="b/x"), "differs"),
        (rows(k5="a/1"), {}, "only on blue"),
        ({}, rows(k5="a/x"), "only on green"),
    ],
)
def test_a_quiet_row_that_differs_is_named_when_it_was_proven_often_enough(
    blue: Listing, green: Listing, words: str
) -> None:
    outcomes = play(*[(blue, green)] * ROUNDS)
    assert len(outcomes) == 1 + CONFIRM
    assert [outcome.differences for outcome in outcomes[:-1]] == [()] * CONFIRM
    (found,) = outcomes[-1].differences
    assert found.by_key == f"table shop.public.item: row with id = 5: {words}"
    assert told([found]) == (f"table shop.public.item: {words} (1 row or range of it)",)
    assert (outcomes[-1].reconciliation, outcomes[-1].unsettled) == (None, None)


def test_a_row_that_changes_to_and_fro_is_hot_and_not_different() -> None:
    """Blue has the same value in every round, in another version: green, read in between, had the other one."""
    outcomes = play(*[(rows(k5=f"a/{n}"), rows(k5=f"b/x{n}")) for n in range(ROUNDS + 5)])
    assert len(outcomes) == ROUNDS
    assert all(outcome.differences == () for outcome in outcomes)
    assert outcomes[-1].unsettled is not None


def test_a_row_that_comes_and_goes_is_hot_and_not_different() -> None:
    """Absence has no version: a row that is seen on one side only, ever anew, proves nothing."""
    outcomes = play(*[(rows(k5=f"a/{n}"), {}) if n % 2 else ({}, rows(k5=f"a/x{n}")) for n in range(ROUNDS)])
    assert all(outcome.differences == () for outcome in outcomes)
    assert outcomes[-1].unsettled is not None


def test_proofs_must_follow_on_each_other() -> None:
    same, changed = (rows(k5="a/1"), rows(k5="b/x")), (rows(k5="a/2"), rows(k5="b/y"))
    outcomes = play(same, same, changed, changed, same)
    assert [outcome.differences for outcome in outcomes] == [()] * 5


def test_green_that_catches_up_is_equal() -> None:
    outcomes = play((rows(k5="a/1"), rows(k5="b/x")), (rows(k5="a/1"), rows(k5="a/y")))
    assert (outcomes[-1].reconciliation, outcomes[-1].differences, outcomes[-1].rows) == (None, (), 1)


def test_a_row_that_only_green_had_and_lost_counts_no_row() -> None:
    outcomes = play(({}, rows(k5="a/x")), ({}, {}))
    assert (outcomes[-1].reconciliation, outcomes[-1].differences, outcomes[-1].rows) == (None, (), 0)


def test_new_rows_are_not_looked_at() -> None:
    outcomes = play((rows(k5="a/1"), rows(k5="b/x")), (rows(k5="a/2", k6="n/1"), rows(k5="a/y")))
    assert (outcomes[-1].reconciliation, outcomes[-1].rows) == (None, 1)


def test_what_stays_hot_is_no_wider_than_its_rows() -> None:
    def blue(n: int) -> Listing:
        return rows(k2="q/1", k3="q/1", k5=f"a/{n}", k7=f"a/{n}", k8="q/1")

    green = rows(k2="q/x", k3="q/x", k5="b/x", k7="b/x", k8="q/x")
    found = play(*[(blue(n), {**green, **rows(k5=f"b/{n}", k7=f"b/{n}")}) for n in range(ROUNDS)])
    assert found[-1].unsettled == Chunk("shop", "public", "item", ("id",), ("3",), ("7",))


def test_a_table_without_a_key_is_one_entry() -> None:
    whole = Chunk("shop", "public", "log")
    blue, green = {(): Content(3, 5, "v")}, {(): Content(2, 4, "w")}
    assert told(play(*[(blue, green)] * 9, chunk=whole)[-1].differences) == (
        "table shop.public.log: the contents differ (blue has 3 rows, green 2; it has no key to name rows by)",
    )


# --- chunks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [CHUNK, Chunk("a", "b", 'c"d'), Chunk("a", "b", "c", ("x", "y"), None, ("1", "'"))])
def test_a_chunk_survives_the_journal(chunk: Chunk) -> None:
    assert Chunk.from_json(json.loads(json.dumps(chunk.to_json()))) == chunk


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (None, None, "all rows"),
        (("1", "a"), None, "rows with (x, y) above (1, a)"),
        (None, ("2", "b"), "rows with (x, y) up to (2, b)"),
        (("1", "a"), ("2", "b"), "rows with (x, y) above (1, a) up to (2, b)"),
    ],
)
def test_words(low: tuple[str, ...] | None, high: tuple[str, ...] | None, words: str) -> None:
    assert Chunk("d", "s", "t", ("x", "y"), low, high).words == words


def part(low: str | None, high: str | None, table: str = "t") -> Chunk:
    return Chunk("d", "s", table, ("k",), None if low is None else (low,), None if high is None else (high,))


def test_neighbours_are_merged_and_others_are_not() -> None:
    chunks = [part("5", "7"), part(None, "3"), part("3", "5"), part("8", "9"), part("9", None), part("7", "8", "u")]
    assert set(merged(chunks)) == {part(None, "7"), part("8", None), part("7", "8", "u")}
    assert merged([]) == ()


def test_overlapping_chunks_are_kept_as_they_are() -> None:
    assert set(merged([part("5", "9"), part("5", "7"), part("5", "7")])) == {part("5", "9"), part("5", "7")}


def test_whole_tables_are_merged_with_nothing() -> None:
    whole = [part(None, None), part(None, None, "u")]
    assert set(merged(whole)) == set(whole)


# --- digest ----------------------------------------------------------------------------------------------------------


def column(name: str, kind: str, base: str | None = None, *, builtin: bool = True) -> Column:
    return Column(name, kind, builtin, True, base or kind)


def test_every_column_is_in_the_digest_once_with_a_seed_of_its_own() -> None:
    columns = [column("a", "int4"), column("b", "text"), column("c", "timestamptz"), column("d", "json")]
    assert row_digest(columns, 150000).as_string() == (
        'pg_catalog.hashint4extended(0, coalesce(pg_catalog.hashint4extended("t"."a", 1), 1)'
        ' # coalesce(pg_catalog.hashtextextended("t"."b", 2), 2)'
        ' # coalesce(pg_catalog.hashtextextended(pg_catalog."timestamptz_send"("t"."c")::text'
        ' collate pg_catalog."C", 3), 3)'
        ' # coalesce(pg_catalog.hashtextextended("t"."d"::text collate pg_catalog."C", 4), 4))'
    )


def test_a_type_of_the_application_is_not_taken_for_the_servers_own() -> None:
    assert "hashint8extended" not in row_digest([column("a", "int8", builtin=False)], 150000).as_string()


def test_postgres_13_has_no_hash_of_records() -> None:
    assert "hash_record" not in row_digest([column("a", "bytea"), column("b", "date")], 130000).as_string()


def test_a_table_without_columns_has_a_digest() -> None:
    assert row_digest([], 150000).as_string() == "pg_catalog.hashint4extended(0, 1::pg_catalog.int8)"


def test_keys_come_back_as_their_types_and_quoted() -> None:
    key = [column('a"b', "int4", "integer"), column("c", "mood", 'public."Mood"', builtin=False)]
    assert above(key, ["1", "it's"]).as_string() == (
        '("t"."a""b", "t"."c") > (\'1\'::integer, \'it\'\'s\'::public."Mood")'
    )
    assert up_to(key[:1], ["-1"]).as_string() == '("t"."a""b") <= (\'-1\'::integer)'


def test_progress_stays_below_one_until_the_end() -> None:
    tally = Tally(estimated_rows=0, seen_rows=50)
    assert tally.fraction == 0.99


# --- batches ---------------------------------------------------------------------------------------------------------


class Ranges(Reader):
    """A table of `count` ranges of one row each, without a server."""

    def __init__(self, count: int) -> None:
        self._count = count
        key = Column("id", "int8", builtin=True, deterministic=True, base="bigint")
        seen = Seen("public.item", as_owner=False, function="", first="")
        self.shapes = {Chunk("shop", "public", "item").name: Shape(sql.Identifier("item"), (key,), sql.SQL("1"), seen)}

    def first(self, chunk: Chunk, rows: int) -> tuple[Chunk, Content]:
        last = int(chunk.low[0]) + 1 if chunk.low else 1
        part = replace(chunk, high=(str(last),)) if last < self._count else chunk
        return part, Content(1, 7)


def batches(count: int, *, awaited: bool) -> list[int]:
    """How many readings each batch of new ranges has; `awaited`: green is idle all the time."""
    blue = Ranges(count)
    side = BlueSide(blue, blue, [Chunk("shop", "public", "item")], 1)
    found = []
    while not side.scanned:
        if awaited:
            side.awaited.set()
        readings, left = side.read([])
        assert not left
        found += [len(readings)] if readings else []
    return found


def test_a_batch_ends_when_green_has_nothing_to_do() -> None:
    assert batches(20, awaited=True) == [1] * 20
    assert batches(20, awaited=False) == [20]
