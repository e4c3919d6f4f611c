"""The plan firewall: what a stage may change, and the judgement of a plan by it. Pure.

Everything that is not expected is refused: nothing is applied. What is expected and not in the plan must be done
already (a run that was killed after its apply), else the root does not say what its data says.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rotator.domain.errors import Blocked
from rotator.domain.root import Stage
from rotator.terraform.causes import way_out
from rotator.terraform.expected import DELETE, UPDATE, Expected, describe, expected
from rotator.terraform.plan import NO_OP, Change, PlanSummary

__all__ = ["Expected", "Violation", "describe", "enforce", "expected", "forbidden", "judge", "refusal"]


@dataclass(frozen=True)
class Violation:
    """Why a plan is refused: where, what would happen there, the attributes that cause it, and what to do."""

    address: str
    actions: tuple[str, ...]
    attributes: tuple[str, ...]
    reason: str
    fix: str

    @property
    def line(self) -> str:
        what = f" ({' then '.join(self.actions)})" if self.actions else ""
        because = f" because of {', '.join(self.attributes)}" if self.attributes else ""
        return f"{self.address}{what}{because}: {self.reason}"


def judge(stage: Stage, summary: PlanSummary, allowed: Iterable[Expected]) -> tuple[Violation, ...]:
    """Every reason to refuse this plan; empty when it may be applied (or has nothing left to do)."""
    rules = tuple(allowed)
    present = {change.address for change in summary.changes}
    missing = (item for item in rules if item.address not in present and not item.optional)
    return (
        *_whole_plan(summary),
        *forbidden(stage, summary, rules),
        *(_missing(item) for item in missing if not _done(item, summary)),
    )


def forbidden(stage: Stage, summary: PlanSummary, allowed: Iterable[Expected]) -> tuple[Violation, ...]:
    """The changes of a plan that a stage may not make, whether the plan is whole or not."""
    by_address = {item.address: item for item in allowed}
    created = frozenset(change.address for change in summary.changes if "create" in change.actions)
    found = (_one_change(stage, change, by_address.get(change.address), created) for change in summary.changes)
    return tuple(violation for violations in found for violation in violations)


def enforce(stage: Stage, summary: PlanSummary, allowed: Iterable[Expected]) -> bool:
    """Raise Blocked (exit 20) unless the plan may be applied. True: it changes something; False: all is done."""
    violations = judge(stage, summary, allowed)
    if violations:
        raise refusal(stage, violations)
    return bool(summary.changes)


def refusal(stage: Stage, violations: Sequence[Violation]) -> Blocked:
    """The error for a plan with at least one violation."""
    first = violations[0]
    return Blocked(
        f"the plan of stage {stage} is refused: {first.line}",
        why=f"stage {stage} may change nothing but what `rotator plan` lists for it; nothing was applied",
        fix=first.fix,
        details=tuple(f"{item.line}; {item.fix}" for item in violations),
        code="plan-firewall",
    )


def _whole_plan(summary: PlanSummary) -> Iterable[Violation]:
    if summary.errored:
        yield Violation("plan", (), (), "planning ended with an error", "fix it, then plan again")
    if not summary.complete:
        yield Violation(
            "plan",
            (),
            (),
            "the plan is not complete (something was targeted or deferred)",
            "unset TF_CLI_ARGS, plan again",
        )
    for check in summary.failed_checks:
        yield Violation("check", (), (), f"a check fails: {check}", "find out why it fails before anything is changed")


def _one_change(stage: Stage, change: Change, rule: Expected | None, created: frozenset[str]) -> Iterable[Violation]:
    if change.deposed is not None:
        yield _violation(
            change, "a left-over of an earlier replace would be destroyed", "look at it, then remove it by hand"
        )
    elif change.previous_address is not None:
        yield _violation(change, f"it would be moved from {change.previous_address}", _advice(stage, change))
    elif rule is None:
        yield _violation(change, f"stage {stage} does not change it", _advice(stage, change))
    elif change.importing and not rule.importing:
        yield _violation(change, f"it would be imported, which stage {stage} does not do", _advice(stage, change))
    elif not _actions_match(change, rule):
        yield _violation(change, f"stage {stage} expects {' then '.join(rule.actions)}", _advice(stage, change))
    else:
        yield from _details(stage, change, rule, created)


def _details(stage: Stage, change: Change, rule: Expected, created: frozenset[str]) -> Iterable[Violation]:
    extra = set(change.changed_attributes) - (rule.attributes or frozenset())
    if change.actions == UPDATE and rule.attributes is not None and extra:
        reason, fix = "these attributes are not part of this stage", way_out(stage, change.address, extra)
        yield Violation(change.address, change.actions, tuple(sorted(extra)), reason, fix)
    if rule.needs is not None and rule.needs not in created:
        yield _violation(change, f"{rule.needs} is not made anew in the same plan", "run the same command again")


def _actions_match(change: Change, rule: Expected) -> bool:
    if rule.importing:
        # An import that was cut off between import and update goes on as a plain update.
        return change.actions == UPDATE or (change.importing and change.actions == NO_OP)
    return change.actions in {rule.actions, *rule.also}


def _done(rule: Expected, summary: PlanSummary) -> bool:
    """Whether a change that is not in the plan has been made already: the plan lists what exists and stays."""
    exists = rule.address in summary.unchanged
    return not exists if rule.actions == DELETE else exists


def _missing(rule: Expected) -> Violation:
    return Violation(
        rule.address,
        rule.actions,
        (),
        "expected, but the root does not plan it",
        "render the root again (`rotator render ENV`), or undo the hand-made change in it",
    )


def _violation(change: Change, reason: str, fix: str) -> Violation:
    return Violation(change.address, change.actions, _forcing(change), reason, fix)


def _forcing(change: Change) -> tuple[str, ...]:
    return change.replace_paths or (change.changed_attributes if change.actions == UPDATE else ())


def _advice(stage: Stage, change: Change) -> str:
    if change.action_reason == "replace_because_tainted":
        command = f"terraform untaint {shlex.quote(change.address)}"
        return f"an earlier apply failed on it: `{command}` if it is sound, else remove it"
    if change.action_reason == "delete_because_each_key":
        return (
            "the state holds a generation that this journal does not know: this clone is older than the last rotation; "
            "take the newest journal.json and data file from version control"
        )
    fix = way_out(stage, change.address, _forcing(change))
    return f"forgetting it leaves it running with no owner; {fix}" if "forget" in change.actions else fix
