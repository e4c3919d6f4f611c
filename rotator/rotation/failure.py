"""What happens when a rotation stops between the fence and the flip: the only automatic undo is lifting the fence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rotator.domain.errors import (
    Interrupted,
    LockedError,
    RotatorError,
    TerraformStateLocked,
    WaitingForApproval,
    WaitingForAws,
)
from rotator.domain.rotation import Strategy
from rotator.journal.memory import JournalMemory
from rotator.journal.results import CutoverResult, FenceResult, OpenResult, SnapshotResult
from rotator.journal.step_record import Status, StepRecord
from rotator.rotation.safety import Move, Name, Side, Sides, judge
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.cutover.fence import unfence

# Those who stop a run on purpose mean to go on; so does an apply that outlived its killed driver and holds the state
# lock, and another run that wrote the journal meanwhile: the fence stays, and they are told so.
PAUSES = (WaitingForApproval, WaitingForAws, Interrupted, TerraformStateLocked, LockedError)


def is_fenced(memory: JournalMemory) -> bool:
    """Whether the journal has blue fenced by this rotation and the flip not done."""
    fence, cutover = memory.record.step(FenceResult.step), memory.record.step(CutoverResult.step)
    if memory.record.rotation.strategy is Strategy.REPLICATE:
        return cutover.status in (Status.INTENDED, Status.ACTED)
    began = fence.status in (Status.INTENDED, Status.ACTED, Status.DONE)
    return began and cutover.status is not Status.DONE


def after_stop(ctx: Context, memory: JournalMemory, error: RotatorError) -> tuple[str, ...]:
    """Lift the fence where the error ends the path to the flip; what was done or is left, in words.

    When lifting fails itself, the words say that writes are still refused: the first error stays the one reported.
    """
    if not is_fenced(memory):
        # Of a world in which another run may be at work, this one knows nothing any more.
        return () if isinstance(error, LockedError) else _kept_log(ctx, memory)
    blue, name = ctx.rotation.blue, ctx.env.name
    if memory.record.rotation.strategy is Strategy.REPLICATE:
        return _after_window(ctx, error)
    going_on = f"resume with: rotator rotate {name}; or give up with: rotator rollback {name}"
    if isinstance(error, PAUSES) or ctx.env.config.rotation.on_failure == "keep-fence":
        return (f"{blue} stays fenced, writes are refused: {going_on}",)
    nothing_built_on_it = memory.record.step(SnapshotResult.step).status is Status.NONE
    if not nothing_built_on_it:
        # Before lifting: a kill in between must not let a later run go on with a snapshot that lacks writes.
        unwritten = _unwritten(
            lambda: memory.note(FenceResult, lambda known: replace(known, lifted_at=ctx.clock.now().isoformat()))
        )
    try:
        words = unfence(ctx)
    except RotatorError as fault:
        return (f"ATTENTION: {blue} is still fenced, writes are refused, and lifting failed: {fault.what}", going_on)
    if nothing_built_on_it:
        unwritten = _unwritten(lambda: memory.put(FenceResult.step, StepRecord(Status.UNDONE)))
        return (words, *unwritten, f"run it again: rotator rotate {name}")
    return (
        words,
        *unwritten,
        "the snapshot no longer holds everything that blue holds, so this rotation cannot go on: "
        f"rotator rollback {name}, then rotate again",
    )


def after_stopped_rollback(ctx: Context, memory: JournalMemory) -> tuple[str, ...]:
    """What holds while a rollback stands still, in words: it can only be finished, rotate is refused."""
    fenced = (f"{ctx.rotation.blue} is still fenced: writes are refused.",) if is_fenced(memory) else ()
    return (*fenced, f"the rollback has begun; resume it with: rotator rollback {ctx.env.name}")


def _unwritten(write: Callable[[], None]) -> tuple[str, ...]:
    """Words when the journal cannot be written; the fence is lifted all the same.

    That is safe: the journal then says "fenced" where the world says "not", and a later run stops at that difference.
    """
    try:
        write()
    except RotatorError as fault:
        return (f"the journal does not know of it: {fault.what} {fault.why}",)
    return ()


def _kept_log(ctx: Context, memory: JournalMemory) -> tuple[str, ...]:
    """Strategy replicate: a rotation that stands still makes blue's log grow."""
    opened, flipped = memory.record.step(OpenResult.step), memory.record.step(CutoverResult.step)
    if opened.status is not Status.DONE or flipped.status is Status.DONE:
        return ()
    name = ctx.env.name
    return (
        f"{ctx.rotation.blue} takes writes, and keeps its log for green until the rotation goes on "
        f"(rotator rotate {name}) or is given up (rotator rollback {name})",
    )


def _after_window(ctx: Context, error: RotatorError) -> tuple[str, ...]:
    """Strategy replicate: nothing is built on the fence, so it never needs to stay unless the flip has happened.

    Whoever holds the state's lock may be an apply that outlived its driver, and whoever wrote the journal meanwhile
    may be about to flip: then nobody knows yet whether it does.
    """
    blue, name = ctx.rotation.blue, ctx.env.name
    at_work = isinstance(error, TerraformStateLocked | LockedError)
    unseen = Sides(Side.UNKNOWN, Side.UNKNOWN, Name.UNKNOWN, apply_may_flip=at_work)
    if Move.WAIT in judge(unseen).moves:
        return (f"{blue} is left as it is: another apply may still flip. Wait, then: rotator rotate {name}",)
    if ctx.memory.result(CutoverResult).returned:
        return (f"{blue} serves and takes writes; this rotation ends with: rotator rollback {name}",)
    if ctx.memory.result(CutoverResult).taking_back:
        return (f"the flip is being taken back, which only a rollback can finish: rotator rollback {name}",)
    if ctx.memory.result(CutoverResult).applied:
        return (
            f"{blue} is left as it is: green has served, and may hold writes that {blue} does not have. "
            f"Go on with: rotator rotate {name}; or: rotator rollback {name}",
        )
    try:
        return (unfence(ctx), f"run it again: rotator rotate {name}; or give up: rotator rollback {name}")
    except RotatorError as fault:
        return (f"{blue} may still be fenced: {fault.what} {fault.why}", f"resume with: rotator rotate {name}")
