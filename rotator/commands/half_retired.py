"""A rollback while blue is being retired: the world says whether blue is still a way back, not the journal."""

from __future__ import annotations

from rotator.domain.addresses import database
from rotator.domain.root import DatabaseSpec, RootData, Stage
from rotator.journal.memory import JournalMemory
from rotator.journal.results_retire import UnprotectResult
from rotator.journal.step_record import Status
from rotator.rotation.begin import already_retired
from rotator.rotation.steps.context import Context


def take_back_unprotect(ctx: Context, memory: JournalMemory) -> None:
    """Blue stays protected, where nothing but the intent to lift its protection is there. Else raises Blocked."""
    if memory.status(UnprotectResult.step) is Status.NONE:
        return
    why = _why_not(ctx, memory)
    if why:
        raise already_retired(ctx.rotation, why)
    root, pending = memory.root(), memory.pending()
    if root is not None and pending is not None:
        # How far the apply came is the state's to say: what would be lifted is put back, or nothing is to do.
        memory.unstage()
        ctx.stages.apply(Stage.ROLLBACK_UNPROTECT, pending, root, memory.stage, ctx.progress)
        memory.commit()


def _why_not(ctx: Context, memory: JournalMemory) -> str:
    blue, meant = ctx.topology.find(ctx.rotation.blue), _spec(ctx, memory.root())
    if blue is None or blue.status == "deleting":
        return "It is gone, or going."
    if meant is None or database(ctx.rotation.source) not in ctx.stages.state_addresses():
        return "Terraform's state does not hold it any more."
    if memory.result(UnprotectResult).applied or meant.skip_final_snapshot:
        return "Its protection has been lifted."
    if meant.deletion_protection and not blue.deletion_protection:
        return "Its protection is off."
    return ""


def _spec(ctx: Context, root: RootData | None) -> DatabaseSpec | None:
    generation = root.generations.get(ctx.rotation.source) if root is not None else None
    return generation.database if generation is not None else None
