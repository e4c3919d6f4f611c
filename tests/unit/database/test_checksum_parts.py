import pytest

from rotator.database.postgres.compare.checksum import CHUNK_BLOCKS, chunks, column_expression, row_hash


@pytest.mark.parametrize(
    ("kind", "builtin", "deterministic", "expected"),
    [
        ("int4", True, True, '"t"."c"'),
        ("text", True, True, '"t"."c"'),
        ("text", True, False, '"t"."c"::text collate pg_catalog."C"'),
        ("int8", True, True, 'pg_catalog."int8send"("t"."c")'),
        ("numeric", True, True, 'pg_catalog."numeric_send"("t"."c")'),
        ("json", True, True, '"t"."c"::text collate pg_catalog."C"'),
        ("int8", False, True, 'row("t"."c")::text collate pg_catalog."C"'),
    ],
)
def test_column_expression(kind: str, builtin: bool, deterministic: bool, expected: str) -> None:
    found = column_expression("c", kind, builtin=builtin, deterministic=deterministic)
    assert found.as_string(None) == expected


def test_quoting_of_hostile_column_names() -> None:
    found = column_expression('a"; drop table x; --', "int4", builtin=True, deterministic=True)
    assert found.as_string(None) == '"t"."a""; drop table x; --"'


@pytest.mark.parametrize("blocks", [0, 1, 63, 64, 65, 5_000, 1_000_000])
@pytest.mark.parametrize("rows_per_block", [0.5, 30.0, 2_000.0])
def test_chunks_cover_every_block_once_and_leave_the_end_open(blocks: int, rows_per_block: float) -> None:
    found = list(chunks(blocks, rows_per_block, ranges=True))
    assert found[0][0] == 0
    assert found[-1][1] is None
    assert [end for _, end in found[:-1]] == [start for start, _ in found[1:]]
    assert all(CHUNK_BLOCKS[0] <= end - start <= CHUNK_BLOCKS[1] for start, end in found[:-1] if end is not None)


def test_without_range_scans_there_is_one_chunk() -> None:
    assert list(chunks(1_000_000, 50.0, ranges=False)) == [(0, None)]


def test_postgres_13_hashes_text() -> None:
    columns = column_expression("c", "int4", builtin=True, deterministic=True)
    assert "hash_record" not in row_hash(columns, 130015).as_string()
    assert "hash_record_extended" in row_hash(columns, 140000).as_string()
