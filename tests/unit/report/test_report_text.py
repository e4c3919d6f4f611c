import pytest

from rotator.report.text import aligned, count, duration, fitted, percent, roughly


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


LINES = """\
retire shop: rotation shop-g1, strategy replicate, and so many words more that they do not go into one line of eighty
  notes        Clients that verify the host name (verify-full) cannot do so through the CNAME. The RDS certificate names
  old key      arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab-and-more-of-it
"""


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_lines_are_broken_between_words_and_stay_in_their_column(width: int) -> None:
    made = fitted(LINES, width)
    assert made.split() == LINES.split()
    long = "key/1234abcd"
    assert all(len(line) <= width or long in line for line in made.splitlines())
    column = [line for line in made.splitlines() if line.startswith(" " * 15)]
    assert "\n  notes        Clients" in made
    assert bool(column) is (width < 120)


def test_a_name_that_is_too_long_for_its_column_has_a_line_of_its_own() -> None:
    arn = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    assert fitted(f"  key          alias/shop {arn} 16 s", 80).splitlines() == [
        "  key          alias/shop",
        f"  {arn}",
        "               16 s",
    ]
    assert fitted(f"  key          {arn}", 80).splitlines() == ["  key", f"  {arn}"]


def test_without_a_terminal_lines_stay_whole() -> None:
    assert fitted(LINES, None) == LINES


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "5 s"), (12, "10 s"), (89, "90 s"), (90, "2 min"), (400, "7 min"), (5390, "1 h 30 min"), (9000, "2 h 30 min")],
)
def test_an_estimate_pretends_no_precision(seconds: float, words: str) -> None:
    assert roughly(seconds) == words
