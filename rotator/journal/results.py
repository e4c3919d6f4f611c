"""What each step records. Every field may be missing: a step notes one after the other, and older versions had fewer.

Times are ISO 8601 in UTC, positions are text of the engine's. A field that is None is not stored, and one that this
version does not know is kept as it is (`more`): a journal goes through any version and loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeVar

Ranges = tuple[Mapping[str, Any], ...]
"""Ranges of rows that were in flux, without their bounds: table and how many rows."""


KINDS: dict[str, type[Result]] = {}
"""Name of a step -> the kind of its record; a kind enters by being defined."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """Base of all: nothing. `step` is the name of the step whose record it is. `more`: fields of other versions."""

    step: ClassVar[str] = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def __init_subclass__(cls) -> None:
        """A kind that names its step is the one by which the journal reads that step's record. Raises TypeError."""
        super().__init_subclass__()
        if KINDS.setdefault(cls.step, cls) is not cls:
            raise TypeError(f"{cls.__name__}: the step {cls.step!r} has a kind already, {KINDS[cls.step].__name__}")

    @property
    def empty(self) -> bool:
        """Whether nothing is recorded."""
        return not self.more and all(getattr(self, each.name) is None for each in fields(self) if each.name != "more")


R = TypeVar("R", bound=Result)
T = TypeVar("T")


def need(value: T | None) -> T:
    """A field that must be there by now; raises LookupError where its step has not recorded it."""
    if value is None:
        raise LookupError("a step's result lacks a value that a later step needs")
    return value


@dataclass(frozen=True, kw_only=True)
class PreflightResult(Result):
    """`warnings` are the findings that do not block, in sentences; `encryption` is that of the tool's sessions."""

    step: ClassVar[str] = "preflight"
    account: str | None = None
    terraform: str | None = None
    engine: str | None = None
    strategy: str | None = None
    old_key_arn: str | None = None
    encryption: str | None = None
    warnings: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class AdoptResult(Result):
    """`generation` serves; `imported`: its resources were not in the state before."""

    step: ClassVar[str] = "adopt"
    generation: str | None = None
    imported: bool | None = None


@dataclass(frozen=True, kw_only=True)
class LowerTtlResult(Result):
    """TTLs in seconds; `own_ttls` by the record's key. `lowered_at`: since when Route 53 has the short one."""

    step: ClassVar[str] = "lower-ttl"
    ttl: int | None = None
    ttl_before: int | None = None
    own_ttls: Mapping[str, int] | None = None
    lowered_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class KeyResult(Result):
    """The new key, its alias, and the key that blue is under."""

    step: ClassVar[str] = "key"
    key_arn: str | None = None
    alias: str | None = None
    old_key_arn: str | None = None


@dataclass(frozen=True, kw_only=True)
class FenceResult(Result):
    """`by` "rotator" or "operator"; `tables` that refuse writes; from `lifted_at` on blue has taken writes again."""

    step: ClassVar[str] = "fence"
    by: str | None = None
    tables: int | None = None
    fenced_at: str | None = None
    lifted_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class OpenResult(Result):
    """`full`: tables ('database.schema.table') that got another replica identity, and what they had."""

    step: ClassVar[str] = "open"
    databases: tuple[str, ...] | None = None
    tables: int | None = None
    full: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class SnapshotResult(Result):
    """The snapshot's identifier, ARN and key; `low` and `high` are the positions between which it was taken.

    `deleting`: a rollback has asked for its deletion.
    """

    step: ClassVar[str] = "snapshot"
    snapshot: str | None = None
    arn: str | None = None
    key_arn: str | None = None
    low: str | None = None
    high: str | None = None
    deleting: bool | None = None


@dataclass(frozen=True, kw_only=True)
class ReencryptResult(SnapshotResult):
    """The copy under the new key."""

    step: ClassVar[str] = "re-encrypt"


@dataclass(frozen=True, kw_only=True)
class GreenResult(Result):
    """The instance, its endpoint's name and key; what was switched off on it; secrets of managed master passwords.

    `kept_since`: when a rollback has asked for a snapshot of it.
    """

    step: ClassVar[str] = "green"
    identifier: str | None = None
    address: str | None = None
    key_arn: str | None = None
    quarantined: tuple[str, ...] | None = None
    secret_arn: str | None = None
    old_secret_arn: str | None = None
    kept_since: str | None = None


@dataclass(frozen=True, kw_only=True)
class ParityResult(Result):
    """How many `fields` were compared, which were `ignored`; what was `set` on green, and when."""

    step: ClassVar[str] = "parity"
    fields: int | None = None
    ignored: tuple[str, ...] | None = None
    set: tuple[str, ...] | None = None
    set_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class SeedResult(Result):
    """Where green's data ends (`seed`), the sources that agree, all figures; green's imprint after its quarantine."""

    step: ClassVar[str] = "seed"
    seed: str | None = None
    sources: tuple[str, ...] | None = None
    figures: tuple[str, ...] | None = None
    quarantined: tuple[str, ...] | None = None
    imprint: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class CatchUpResult(Result):
    """`enabled`: subscribed. Lags in bytes and seconds. `link`: how the servers' own connection is protected."""

    step: ClassVar[str] = "catch-up"
    enabled: bool | None = None
    first_lag: int | None = None
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    interrupted_at: str | None = None
    link: str | None = None


@dataclass(frozen=True, kw_only=True)
class ValidateResult(Result):
    """What was compared, and its digests by table. `hot`: what was in flux, `hot_digest` of its bounds.

    `schema` is a digest of blue's; `ddl` was recorded by then; views were `refreshed` on green or are `stale`.
    """

    step: ClassVar[str] = "validate"
    compared: bool | None = None
    compared_at: str | None = None
    version: str | None = None
    tables: int | None = None
    rows: int | None = None
    digests: Mapping[str, Any] | None = None
    hot: Ranges | None = None
    hot_digest: str | None = None
    refreshed: tuple[str, ...] | None = None
    stale: tuple[str, ...] | None = None
    ddl: tuple[str, ...] | None = None
    schema: str | None = None
    encryption: str | None = None
    imprint: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class CutoverResult(Result):
    """The flip. From `opened_at` on green may take writes; `applied`: the record points at green since `flipped_at`.

    `imprint`: blue's as it was sealed; `back`: where the reverse replication begins, by database. The pause and its
    `parts` are in seconds, since `closed_at`. In a rollback: `taking_back` by the step itself, `returning` (green was
    shut by us), `carried_back` (blue has it all), `returned` (the record points at blue); `hot_back`: what was in flux
    then.
    """

    step: ClassVar[str] = "cutover"
    opened_at: str | None = None
    applied: bool | None = None
    flipped_at: str | None = None
    closed_at: str | None = None
    pause_seconds: float | None = None
    parts: Mapping[str, float] | None = None
    cut_off: tuple[str, ...] | None = None
    sequences: int | None = None
    set_back: tuple[str, ...] | None = None
    imprint: Mapping[str, Any] | None = None
    back: Mapping[str, str] | None = None
    also: tuple[str, ...] | None = None
    resolved: str | None = None
    write_landed_on_green: bool | None = None
    ended_clients: int | None = None
    left_clients: int | None = None
    taking_back: bool | None = None
    returning: bool | None = None
    carried_back: bool | None = None
    returned: bool | None = None
    hot_back: Ranges | None = None
    hot_back_digest: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReverseReplicationResult(Result):
    """`begun` before anything of it is there, `opened` when blue follows green; `given_up` by the user's decision."""

    step: ClassVar[str] = "way-back"
    begun: bool | None = None
    opened: bool | None = None
    given_up: bool | None = None


@dataclass(frozen=True, kw_only=True)
class UngateResult(Result):
    """The record's TTL in seconds."""

    step: ClassVar[str] = "ungate"
    ttl: int | None = None


@dataclass(frozen=True, kw_only=True)
class SoakResult(Result):
    """Until when blue must stay."""

    step: ClassVar[str] = "soak"
    until: str | None = None
