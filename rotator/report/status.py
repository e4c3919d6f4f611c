"""What `status` shows: the state of an env, as data, for people and for machines. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StepLine:
    """One step as `status` shows it."""

    name: str
    title: str
    status: str
    finished: str | None
    result: str


@dataclass(frozen=True)
class EnvStatus:
    """One env. A value is None if its check failed; `unknown` says why.

    `green` is None until it exists. During a run `running` says which and since when, and there is no
    `next_command`. `edited`: how the data file differs from the journal. `runs`: who ran what, oldest first.
    """

    env: str
    rotation_id: str | None
    phase: str
    serving: str | None
    record: str
    record_target: str | None
    also: tuple[str, ...]
    at_blue: tuple[str, ...]
    blue: str | None
    green: str | None
    fenced: bool | None
    soak_until: str | None
    soak_over: bool
    replication: tuple[str, ...]
    old_key: str
    steps: tuple[StepLine, ...]
    journal: str
    next_command: str | None
    left_behind: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    running: str | None = None
    edited: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            **self.__dict__,
            "steps": [s.__dict__ for s in self.steps],
            "replication": list(self.replication),
            "left_behind": list(self.left_behind),
            "also": list(self.also),
            "at_blue": list(self.at_blue),
            "unknown": list(self.unknown),
            "edited": list(self.edited),
            "runs": list(self.runs),
        }


def _soak(found: EnvStatus) -> str:
    if not found.soak_until:
        return ""
    return f"over since {found.soak_until}: retire may run" if found.soak_over else f"until {found.soak_until}"


def render(found: EnvStatus) -> str:
    """For people."""
    after = found.next_command or f"nothing: a run is at work. Look again with: rotator status {found.env}"
    lines = [f"env {found.env}: {found.phase}" + (f", rotation {found.rotation_id}" if found.rotation_id else "")]
    rows = [
        ("name", f"{found.record} -> {found.record_target or 'not known'}"),
        ("", "; ".join(found.also)),
        ("at blue", "; ".join(found.at_blue)),
        ("serving", found.serving or "not adopted yet"),
        ("blue", found.blue or ""),
        ("green", found.green or ("does not exist" if found.rotation_id else "")),
        ("fence", {True: "ON: blue refuses writes", False: "off", None: ""}[found.fenced]),
        ("soak", _soak(found)),
        ("replication", "; ".join(found.replication)),
        ("left behind", f"idle triggers on {', '.join(found.left_behind)}" if found.left_behind else ""),
        ("old key", found.old_key),
        ("journal", found.journal),
        ("last run", found.runs[-1] if found.runs else ""),
        ("at work now", found.running or ""),
        ("data file", f"EDITED: {'; '.join(found.edited)}" if found.edited else ""),
    ]
    lines += [f"  {label:11} {text}" for label, text in rows if text]
    lines += [f"  {step.status:9} {step.name:18} {step.result}" for step in found.steps]
    lines += [f"  not known: {reason}" for reason in found.unknown]
    return "\n".join([*lines, f"  next        {after}"]) + "\n"
