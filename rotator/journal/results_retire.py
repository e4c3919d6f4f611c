"""What the steps of retire and rollback record; and every step's result by the step's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rotator.journal.results import KINDS, Result, SnapshotResult


@dataclass(frozen=True, kw_only=True)
class RetireCheckResult(Result):
    """`left_behind`: records that will lead nowhere, in words."""

    step: ClassVar[str] = "retire-check"
    left_behind: str | None = None


@dataclass(frozen=True, kw_only=True)
class CloseWayBackResult(Result):
    """`closed`: blue follows green no longer."""

    step: ClassVar[str] = "close-way-back"
    closed: bool | None = None


@dataclass(frozen=True, kw_only=True)
class FinalSnapshotResult(SnapshotResult):
    """Blue's last snapshot."""

    step: ClassVar[str] = "final-snapshot"


@dataclass(frozen=True, kw_only=True)
class FinalReencryptResult(SnapshotResult):
    """Its copy under the new key."""

    step: ClassVar[str] = "final-reencrypt"


@dataclass(frozen=True, kw_only=True)
class UnprotectResult(Result):
    """`applied`: blue can be deleted."""

    step: ClassVar[str] = "unprotect"
    applied: bool | None = None


@dataclass(frozen=True, kw_only=True)
class RestoreTtlResult(Result):
    """The record's TTL in seconds."""

    step: ClassVar[str] = "restore-ttl"
    ttl: int | None = None


@dataclass(frozen=True, kw_only=True)
class RetireDatabaseResult(Result):
    """The instance that is gone."""

    step: ClassVar[str] = "retire-database"
    identifier: str | None = None


@dataclass(frozen=True, kw_only=True)
class RetireSnapshotsResult(Result):
    """Names of the snapshots that were deleted."""

    step: ClassVar[str] = "retire-snapshots"
    deleted: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class DisableKeyResult(Result):
    """The old key and its state; disabled since `disabled_at`. `enabled_again`: by somebody else, after that."""

    step: ClassVar[str] = "disable-key"
    key_arn: str | None = None
    state: str | None = None
    disabled_at: str | None = None
    enabled_again: bool | None = None


@dataclass(frozen=True, kw_only=True)
class RetireKeyResult(Result):
    """The old key and its state. `stays`: it must be kept, for what lies under it. `taken_out` of Terraform's data, as
    somebody else has scheduled its deletion.
    """

    step: ClassVar[str] = "retire-key"
    key_arn: str | None = None
    state: str | None = None
    deletion_date: str | None = None
    stays: bool | None = None
    taken_out: bool | None = None


@dataclass(frozen=True, kw_only=True)
class CleanUpResult(Result):
    """Tables of blue on which an idle trigger is left; empty when nothing is."""

    step: ClassVar[str] = "clean-up"
    left: tuple[str, ...] | None = None


def kind_of(step: str) -> type[Result]:
    """The kind of what that step records; `Result` for a step that this version does not know."""
    return KINDS.get(step, Result)
