"""What `plan` shows: the runbook of a rotation with the changes of each stage, for people and for machines. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rotator.report.text import roughly


@dataclass(frozen=True)
class PlannedStep:
    """One step of the runbook. `changes` are the only ones its stage may make; `status` as the journal has it.

    `commits` says what cannot be recovered after it; empty, and `reversible` true, if everything can.
    """

    name: str
    title: str
    status: str
    changes: tuple[str, ...]
    reversible: bool
    estimate_seconds: float
    commits: str = ""


@dataclass(frozen=True)
class RotationPlan:
    """The next rotation, or the active one. `now` are the changes in a plan of the root now."""

    env: str
    rotation_id: str
    strategy: str
    blue: str
    green: str
    new_alias: str
    steps: tuple[PlannedStep, ...]
    retire: tuple[PlannedStep, ...]
    now: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The same for machines."""
        estimates = {"estimate_seconds": _seconds(self.steps), "retire_estimate_seconds": _seconds(self.retire)}
        steps = {"steps": [s.__dict__ for s in self.steps], "retire": [s.__dict__ for s in self.retire]}
        return {**self.__dict__, **steps, **estimates, "now": list(self.now), "warnings": list(self.warnings)}


def _seconds(steps: tuple[PlannedStep, ...]) -> float:
    return sum(step.estimate_seconds for step in steps if step.status not in ("done", "skipped"))


def render(found: RotationPlan) -> str:
    """For people: the runbook with each stage's changes."""
    lines = [
        f"Rotation {found.rotation_id} of env {found.env}, strategy {found.strategy}",
        f"  blue {found.blue} -> green {found.green}, new key {found.new_alias}",
        "",
        f"rotate (about {roughly(_seconds(found.steps))} for a small database; RDS's part grows with its size):",
        *_lines(found.steps),
        "",
        f"retire (after the soak; about {roughly(_seconds(found.retire))} for a small database):",
        *_lines(found.retire),
        "",
        *(["preflight warns:", *(f"  {line}" for line in found.warnings), ""] if found.warnings else []),
        "Terraform's plan of the root now:",
        *([f"  {line}" for line in found.now] or ["  no changes"]),
        "",
        "Legend: + create, ~ update in place, - delete, < import. Anything else in a plan is refused (exit 20).",
        f"next: rotator rotate {found.env}",
    ]
    return "\n".join(lines) + "\n"


def _lines(steps: tuple[PlannedStep, ...]) -> list[str]:
    lines = []
    for number, step in enumerate(steps, 1):
        mark = {"done": "x", "skipped": "-"}.get(step.status, " ")
        way = f"  (point of no return: {step.commits})" if step.commits else ""
        lines.append(f"  [{mark}] {number:2} {step.name:16} {step.title}{way}")
        lines += [f"           {change}" for change in step.changes]
    return lines
