"""The sandbox verbs: a local AWS for envs that have a [sandbox] table."""

from __future__ import annotations

import json
import shlex
import sys
from types import ModuleType
from typing import Annotated

import typer

from rotator import wiring
from rotator.boundary import run
from rotator.config.schema import Env
from rotator.domain.errors import LockedError, UsageError
from rotator.host.machine import explain
from rotator.journal.local import LocalStore
from rotator.report.live.pulse import pulse
from rotator.report.pipes import put

app = typer.Typer(help="A local AWS: real PostgreSQL servers, a real DNS server, a write canary.", no_args_is_help=True)

EnvName = Annotated[str, typer.Argument(metavar="[ENV]", help="A folder in envs/ with a [sandbox] table.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout; progress on stderr.")]


def _sandboxed(name: str) -> Env:
    env = wiring.load(name)
    if env.config.sandbox is None:
        raise UsageError(
            f"{name} is not a sandbox env.",
            why="Its rotation.toml has no [sandbox] table, so it describes a real AWS.",
            fix="rotator sandbox up local",
        )
    return env


def _imported() -> ModuleType:
    """The sandbox needs more packages than the tool itself: say so instead of a traceback."""
    try:
        from rotator.sandbox.daemon import commands  # noqa: PLC0415
    except ImportError as fault:
        raise UsageError(
            "The sandbox is not installed.",
            why=f"{fault}.",
            fix="make setup, or: pip install 'rotator[sandbox]'",
            code="sandbox-missing",
        ) from fault
    return commands


def _say(text: str) -> None:
    fault = put(sys.stdout, f"{text}\n")
    if fault is not None:
        raise explain(fault, "The result could not be written to standard output.") or fault


@app.command()
def up(env: EnvName = "local", as_json: AsJson = False) -> None:
    """Start it, with a seeded database and writers; when it runs already, show it."""

    def work() -> None:
        commands = _imported()
        with pulse(sys.stderr, "starting the sandbox"):
            found = commands.up(_sandboxed(env), lambda text: put(sys.stderr, f"{text}\n"))
        _say(json.dumps(found.to_json(), indent=2) if as_json else commands.render(found))

    run(work, as_json=as_json, env=env)


@app.command()
def status(env: EnvName = "local", as_json: AsJson = False) -> None:
    """Show its instances and how to connect."""

    def work() -> None:
        commands = _imported()
        found = commands.status(_sandboxed(env))
        _say(json.dumps(found.to_json(), indent=2) if as_json else commands.render(found))

    run(work, as_json=as_json, env=env)


@app.command()
def down(env: EnvName = "local", as_json: AsJson = False) -> None:
    """Stop it and remove all that it made, the env's state and journal with it."""

    def work() -> None:
        commands, wanted = _imported(), _sandboxed(env)
        _refuse_during_a_run(wanted)
        with pulse(sys.stderr, "stopping the sandbox"):
            found = commands.down(wanted)
        _say(json.dumps(found.to_json(), indent=2) if as_json else commands.render_down(found))

    run(work, as_json=as_json, env=env)


def _refuse_during_a_run(env: Env) -> None:
    """The run's journal, state and databases would go from under it. Raises LockedError."""
    at_work = LocalStore(env.path).holder()
    if at_work is not None:
        raise LockedError(
            f"A rotator works on {env.name}: its sandbox stays.",
            why=f"Held by {at_work}.",
            fix=f"Wait until it ends, or interrupt it (Ctrl-C), then: rotator sandbox down {env.name}",
        )


@app.command(name="env")
def exports(env: EnvName = "local", as_json: AsJson = False) -> None:
    """Print the variables that point any AWS client at it, for eval."""

    def work() -> None:
        found = _imported().exports(_sandboxed(env))
        lines = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in found.items())
        _say(json.dumps(dict(found), indent=2) if as_json else lines)

    run(work, as_json=as_json, env=env)
