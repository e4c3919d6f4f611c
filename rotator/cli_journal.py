"""The journal verbs, and unlock."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from rotator import wiring
from rotator.boundary import run
from rotator.commands import journal as commands
from rotator.domain.errors import UsageError, WaitingForApproval
from rotator.host.files import for_owner_alone
from rotator.host.machine import explain
from rotator.host.started import typed
from rotator.report.pipes import put

app = typer.Typer(help="The journal itself: show it, verify its chain, move it to a bucket.", no_args_is_help=True)

EnvName = Annotated[str, typer.Argument(metavar="ENV", help="A folder in envs/.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Made = tuple[str, dict[str, Any]]


@app.command()
def show(env: EnvName, as_json: AsJson = False) -> None:
    """Show rotations and events."""

    def work() -> Made:
        with _stores(env) as stores:
            found = (*commands.show(stores), stores.keeper.location)
        return commands.as_text(*found), commands.as_json(*found)

    _through(env, as_json, work)


@app.command()
def verify(env: EnvName, as_json: AsJson = False) -> None:
    """Check that no event was changed, removed or put in; exit 20 when one was."""

    def work() -> Made:
        with _stores(env) as stores:
            events = commands.verify(stores)
        return f"{events} events, each follows from the one before\n", {"events": events}

    _through(env, as_json, work)


@app.command()
def pull(env: EnvName, as_json: AsJson = False) -> None:
    """Copy the journal from the bucket to the env's folder, to look at."""
    _one(env, as_json, commands.pull)


@app.command()
def push(env: EnvName, as_json: AsJson = False) -> None:
    """Move the env's journal to the bucket that [journal] s3 names; never writes over another one."""
    _one(env, as_json, commands.push)


def unlock(
    env: EnvName,
    reason: Annotated[str, typer.Option("--reason", help="Why: it is written to the journal.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take the env's lease from a run that is dead, or that must stop."""

    def work() -> Made:
        if not reason.strip():
            raise UsageError("--reason is empty.", why="The journal keeps it.", fix='--reason "the CI runner is gone"')
        with _stores(env) as stores:
            holder = stores.store.holder()
            question = f"{holder} is ALIVE. Take the env from it?" if holder else "Free the env?"
            _confirm(env, yes, question)
            said = commands.unlock(stores, wiring.caller(env), reason)
        return f"{said}\n", {"said": said}

    _through(env, as_json, work)


def _one(env: str, as_json: bool, command: Callable[[commands.JournalStores], str]) -> None:
    def work() -> Made:
        with _stores(env) as stores:
            said = command(stores)
        return f"{said}\n", {"said": said}

    _through(env, as_json, work)


@contextmanager
def _stores(env: str) -> Iterator[commands.JournalStores]:
    with for_owner_alone():
        yield wiring.journal_stores(env)


def _through(env: str, as_json: bool, work: Callable[[], Made]) -> None:
    def say() -> None:
        text, document = work()
        told = typed(env)
        result = json.dumps(told.deep(document), indent=2) + "\n" if as_json else told.say(text)
        fault = put(sys.stdout, result)
        if fault is not None:
            raise explain(fault, "The result could not be written to standard output.") or fault

    run(say, as_json=as_json, env=env)


def _confirm(env: str, agreed: bool, question: str) -> None:
    if agreed:
        return
    if not sys.stdin.isatty():
        raise WaitingForApproval(
            f"{env} needs a yes.", why=f"{question} Without a terminal, the tool cannot ask.", fix="Add --yes."
        )
    if not typer.confirm(f"{env}: {question}", default=False, err=True):
        raise WaitingForApproval("Nothing was done.", why="You did not agree.", fix="Run it again when you do.")
