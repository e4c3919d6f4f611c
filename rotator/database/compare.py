"""Blue against green: differences in words, objects named. Pure; no difference is an empty tuple."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from rotator.domain.database import CounterState, TableDigest

LIMIT = 20
"""So many differences are spelt out; the rest is counted."""


def compare_schema(blue: Mapping[str, str], green: Mapping[str, str]) -> tuple[str, ...]:
    """Objects that only one side has, or whose definitions differ (maps of object -> digest)."""
    return _compare(blue, green, lambda key: f"{key}: the definitions differ")


def compare_extensions(blue: Mapping[str, str], green: Mapping[str, str]) -> tuple[str, ...]:
    """Extensions ('database.extension' -> version)."""
    return _compare(blue, green, lambda key: f"extension {key}: blue has {blue[key]}, green {green[key]}", "extension ")


def compare_digests(blue: Mapping[str, TableDigest], green: Mapping[str, TableDigest]) -> tuple[str, ...]:
    """Tables' contents ('database.schema.table' -> rows and digest)."""

    def words(key: str) -> str:
        ours, theirs = blue[key], green[key]
        if ours.rows != theirs.rows:
            return f"table {key}: blue has {ours.rows:,} rows, green {theirs.rows:,}"
        return f"table {key}: {ours.rows:,} rows on both sides, but their contents differ"

    return _compare(blue, green, words, "table ")


def compare_sequences(blue: Mapping[str, CounterState], green: Mapping[str, CounterState]) -> tuple[str, ...]:
    """Sequences. Green may be ahead (crash recovery skips numbers) but must not give out one of blue's again."""
    missing = [f"sequence {key}: only on blue" for key in blue if key not in green]
    added = [f"sequence {key}: only on green" for key in green if key not in blue]
    behind = [
        f"sequence {key}: blue is at {_position(blue[key])}, green behind it at {_position(green[key])}"
        for key in blue
        if key in green and is_behind(green[key], blue[key])
    ]
    return capped([*missing, *added, *behind])


def is_behind(state: CounterState, other: CounterState) -> bool:
    """Whether `state` would hand out a number that `other` has passed, in the direction of the increment."""
    sign = 1 if other.increment > 0 else -1
    return (sign * state.last_value, state.is_called) < (sign * other.last_value, other.is_called)


def set_back(blue: Mapping[str, CounterState], green: Mapping[str, CounterState]) -> tuple[str, ...]:
    """Sequences that somebody has set back on blue since the snapshot: green is further than by crash recovery."""

    def ahead(key: str) -> int:
        sign = 1 if blue[key].increment > 0 else -1
        return sign * (green[key].last_value - blue[key].last_value) // abs(blue[key].increment)

    return capped(
        f"sequence {key}: blue is at {_position(blue[key])}, green ahead of it at {_position(green[key])}"
        for key in blue
        if key in green and green[key].is_called and ahead(key) > blue[key].slack
    )


def capped(lines: Iterable[str], limit: int = LIMIT) -> tuple[str, ...]:
    """At most `limit` lines in order, then '... and N more'."""
    ordered = sorted(lines)
    if len(ordered) <= limit:
        return tuple(ordered)
    return (*ordered[:limit], f"... and {len(ordered) - limit:,} more")


def _compare(
    blue: Mapping[str, object], green: Mapping[str, object], words: Callable[[str], str], kind: str = ""
) -> tuple[str, ...]:
    missing = [f"{kind}{key}: only on blue" for key in blue if key not in green]
    added = [f"{kind}{key}: only on green" for key in green if key not in blue]
    changed = [words(key) for key in blue if key in green and blue[key] != green[key]]
    return capped([*missing, *added, *changed])


def _position(state: CounterState) -> str:
    return f"{state.last_value:,}" if state.is_called else f"{state.last_value:,} (not handed out yet)"
