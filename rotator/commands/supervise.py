"""A verb's run under a reporter: every stop is reported once, and the fence is lifted if it must not stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rotator.commands.announce import step_infos, undo_infos
from rotator.commands.services import Services
from rotator.domain.errors import Interrupted, RotatorError
from rotator.host.machine import explain
from rotator.journal.document import Phase
from rotator.journal.memory import JournalMemory
from rotator.rotation.engine import Engine
from rotator.rotation.failure import after_stop, after_stopped_rollback
from rotator.rotation.steps.context import Context
from rotator.rotation.steps.step import AnyStep


def supervised(
    services: Services,
    memory: JournalMemory,
    ctx: Context,
    engine: Engine,
    steps: Sequence[AnyStep],
    work: Callable[[], None],
    *,
    lifts: bool = False,
) -> None:
    """Run with live progress; on any stop check the fence (`lifts`), and report both in one error."""
    infos = undo_infos if ctx.options.taking_back else step_infos
    services.reporter.begin(memory.record.rotation.id, infos(memory.record, steps))
    try:
        work()
    except KeyboardInterrupt as stop:
        error: RotatorError = Interrupted(
            "Interrupted.", why="You or the system stopped it.", fix="Run the same command again: it resumes."
        )
        _told(services, memory, ctx, engine, error, lifts=lifts)
        raise error from stop
    except RotatorError as error:
        _told(services, memory, ctx, engine, error, lifts=lifts)
        raise
    except OSError as fault:
        refused = explain(fault)
        if refused is None:
            _lift_after_a_bug(services, memory, ctx, lifts=lifts)
            raise
        _told(services, memory, ctx, engine, refused, lifts=lifts)
        raise refused from fault
    except Exception:
        _lift_after_a_bug(services, memory, ctx, lifts=lifts)
        raise
    finally:
        services.reporter.close()


def _lift_after_a_bug(services: Services, memory: JournalMemory, ctx: Context, *, lifts: bool) -> None:
    """The fence must not outlive a bug of the tool; the error boundary reports the crash itself."""
    for words in after_stop(ctx, memory, RotatorError("bug")) if lifts else ():
        services.reporter.note(words)


def _told(
    services: Services, memory: JournalMemory, ctx: Context, engine: Engine, error: RotatorError, *, lifts: bool
) -> None:
    if engine.at is None:
        services.reporter.note(f"stopped: {error.what}")
    else:
        services.reporter.failed(engine.at, error.what)
    if lifts:
        error.details = (*error.details, *after_stop(ctx, memory, error))
    elif memory.record.phase is Phase.ROLLING_BACK:
        error.details = (*error.details, *after_stopped_rollback(ctx, memory))
