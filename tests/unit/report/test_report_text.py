import pytest

from rotator.report.text import aligned, count, duration, percent


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-3, "0 s"),
        (0.314, "0.31 s"),
        (0.996, "1.0 s"),
        (4.2, "4.2 s"),
        (9.96, "10 s"),
        (31.4, "31 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.7, "1 h 00 min"),
        (11_220, "3 h 07 min"),
        (187_200, "2 d 04 h"),
    ],
)
def test_duration_carries_over_to_the_next_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("fraction", "text"), [(-1.0, "0 %"), (0.454, "45 %"), (1.0, "100 %"), (7.0, "100 %")])
def test_percent_stays_in_range(fraction: float, text: str) -> None:
    assert percent(fraction) == text


def test_count_knows_one() -> None:
    assert (count(1, "table"), count(1204, "row")) == ("1 table", "1,204 rows")


def test_aligned_leaves_out_empty_values_and_keeps_columns() -> None:
    assert aligned([("a", "1\n2"), ("gone", ""), ("long", "3")]) == ["  a     1", "        2", "  long  3"]
