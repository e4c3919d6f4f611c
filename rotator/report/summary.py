"""The closing summary of a run, as text and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rotator.report.text import aligned, count, duration


@dataclass(frozen=True)
class Summary:
    """The result of a run. None means "not known or not done here", and is shown as such, never as zero.

    `run` is the user who ran it, the host and the version.

    `snapshots` is role -> identifier (source, copy, final, final-copy). All times in seconds: `wall_seconds` from
    start to end; of these the tool waited for AWS and the provider (`waited_seconds`), Terraform itself ran
    (`terraform_seconds`) and the tool was busy (`own_seconds`). `write_pause_seconds`: from the fence to the flip,
    with its `pause_parts` by name; `cut_off` are the sessions that were ended in it.
    `client_pause_seconds`: the canary's largest gap between two acknowledged writes around the flip.
    """

    verb: str
    env: str
    rotation_id: str
    strategy: str
    record: str
    blue: str
    green: str
    journal: str
    run: str = ""
    old_key_arn: str | None = None
    new_key_arn: str | None = None
    snapshots: Mapping[str, str] = field(default_factory=dict)
    tables_verified: int | None = None
    rows_verified: int | None = None
    write_pause_seconds: float | None = None
    pause_parts: Mapping[str, float] = field(default_factory=dict)
    cut_off: tuple[str, ...] = ()
    client_pause_seconds: float | None = None
    canary: Mapping[str, Any] | None = None
    wall_seconds: float = 0.0
    waited_seconds: float = 0.0
    terraform_seconds: float = 0.0
    own_seconds: float = 0.0
    next_command: str = ""
    notes: tuple[str, ...] = ()


def render_text(summary: Summary) -> str:
    """For people: one label a line, the next command last."""
    head = f"{summary.verb} {summary.env}: rotation {summary.rotation_id}, strategy {summary.strategy}"
    rows = [
        ("name", summary.record),
        ("blue", summary.blue),
        ("green", summary.green),
        ("old key", summary.old_key_arn or "none"),
        ("new key", summary.new_key_arn or "not made"),
        ("snapshots", "\n".join(f"{role}: {name}" for role, name in summary.snapshots.items())),
        ("verified", _verified(summary)),
        ("write pause", _pause(summary)),
        ("cut off", "\n".join(summary.cut_off)),
        ("canary", _canary(summary.canary, summary.client_pause_seconds)),
        ("took", _times(summary)),
        ("journal", summary.journal),
        ("run", summary.run),
        ("notes", "\n".join(summary.notes)),
        ("next", summary.next_command),
    ]
    return "\n".join([head, *aligned(rows)]) + "\n"


def to_json(summary: Summary) -> dict[str, Any]:
    """For machines: every field under its own name; None stays null."""
    return {
        **asdict(summary),
        "snapshots": dict(summary.snapshots),
        "canary": None if summary.canary is None else dict(summary.canary),
        "pause_parts": dict(summary.pause_parts),
        "cut_off": list(summary.cut_off),
        "notes": list(summary.notes),
    }


def _verified(summary: Summary) -> str:
    if summary.tables_verified is None or summary.rows_verified is None:
        return "data NOT compared by this run"
    return f"{count(summary.rows_verified, 'row')} in {count(summary.tables_verified, 'table')}, blue equals green"


def _pause(summary: Summary) -> str:
    if summary.write_pause_seconds is None:
        return ""
    parts = ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in summary.pause_parts.items())
    return f"{duration(summary.write_pause_seconds)} from the fence to the flip" + (f" ({parts})" if parts else "")


def _canary(report: Mapping[str, Any] | None, at_flip: float | None) -> str:
    if report is None:
        return ""
    lost, doubled = report.get("lost"), report.get("doubled")
    found = "NOT checked:" if lost is None or doubled is None else f"{lost} lost, {doubled} doubled of"
    pause = report.get("longest_pause_seconds")
    flip = f", pause at the flip {duration(at_flip)}" if at_flip is not None else ""
    longest = f", longest pause {duration(pause)}" if isinstance(pause, int | float) else ""
    return f"{found} {report.get('acknowledged', '?')} acknowledged writes{flip}{longest}"


def _times(summary: Summary) -> str:
    wall = duration(summary.wall_seconds)
    parts = (
        f"{duration(summary.waited_seconds)} waiting for AWS and the provider",
        f"{duration(summary.terraform_seconds)} Terraform",
        f"{duration(summary.own_seconds)} the tool itself",
    )
    return f"{wall} in all: {', '.join(parts)}"
