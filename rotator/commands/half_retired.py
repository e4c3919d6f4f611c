"""A rollback while blue is being retired: AWS, not the journal, decides whether it is still possible."""

from __future__ import annotations

from rotator.domain.addresses import database
from rotator.domain.root import DatabaseSpec, RootData, Stage
from rotator.journal.memory import JournalMemory
from rotator.journal.results_retire import UnprotectResult
from rotator.journal.step_record import Status
from rotator.rotation.begin import already_retired
from rotator.rotation.steps.context import Context


def take_back_unprotect(ctx: Context, memory: JournalMemory) -> None:
    """Keep blue protected if only the intent to turn its protection off exists. Else raise Blocked."""
    if memory.status(UnprotectResult.step) is Status.NONE:
        return
    why = _why_not(ctx, memory)
    if why:
        raise already_retired(ctx.rotation, why)
    root, pending = memory.root(), memory.pending()
    if root is not None and pending is not None:
        # The state knows how far the apply came: it restores the protection, or changes nothing.
        memory.unstage()
        ctx.stages.apply(Stage.ROLLBACK_UNPROTECT, pending, root, memory.stage, ctx.progress)
        memory.commit()


def _why_not(ctx: Context, memory: JournalMemory) -> str:
    blue, meant = ctx.topology.find(ctx.rotation.blue), _spec(ctx, memory.root())
    if blue is None or blue.status == "deleting":
        return "It is deleted, or being deleted."
    if meant is None or database(ctx.rotation.source) not in ctx.stages.state_addresses():
        return "It is no longer in Terraform's state."
    if memory.result(UnprotectResult).applied or meant.skip_final_snapshot:
        return "Its deletion protection was turned off by retire."
    if meant.deletion_protection and not blue.deletion_protection:
        return "Its deletion protection is off."
    return ""


def _spec(ctx: Context, root: RootData | None) -> DatabaseSpec | None:
    generation = root.generations.get(ctx.rotation.source) if root is not None else None
    return generation.database if generation is not None else None
