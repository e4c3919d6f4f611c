"""The command line: options, confirmations, exit codes, one error boundary. No logic."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import typer

from rotator import __version__, wiring
from rotator.boundary import run
from rotator.cli_journal import app as journal_app
from rotator.cli_journal import unlock
from rotator.cli_sandbox import app as sandbox_app
from rotator.commands import plan as plan_command
from rotator.commands import retirement, rotation
from rotator.commands import status as status_command
from rotator.commands.services import Services
from rotator.domain.errors import UsageError, WaitingForApproval
from rotator.host.machine import explain
from rotator.host.started import typed
from rotator.report import plan as plan_report
from rotator.report import status as status_report
from rotator.report.pipes import put
from rotator.report.summary import Summary, render_text, to_json
from rotator.report.text import fitted
from rotator.report.visible import visible
from rotator.rotation.steps import approvals
from rotator.rotation.steps.context import Options
from rotator.terraform.render import check_root, write_root

app = typer.Typer(
    name="rotator",
    help="Give an Amazon RDS database a new KMS key, with all of its data re-encrypted, under Terraform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(sandbox_app, name="sandbox")
app.add_typer(journal_app, name="journal")

EnvName = Annotated[str, typer.Argument(metavar="ENV", help="A folder in envs/.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout; progress on stderr.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="End with exit code 11 instead of waiting for AWS.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rotator {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of all verbs."""


@app.command()
def render(
    env: EnvName,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 20 when a file differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the env's Terraform root from the templates."""

    def work() -> None:
        loaded = wiring.load(env)
        if check:
            wiring.refuse_differing(loaded, check_root(loaded))
        changed = () if check else write_root(loaded)
        _say(
            env,
            as_json,
            {"env": env, "path": str(loaded.path), "changed": list(changed or ())},
            f"{loaded.path}: rendered\n",
        )

    run(work, as_json=as_json, env=env)


@app.command()
def plan(env: EnvName, as_json: AsJson = False) -> None:
    """Show all stages of the next rotation with the changes that each may make; change nothing."""

    def work() -> None:
        with wiring.workbench(env, "plan", as_json=as_json, locked=True) as services:
            found = plan_command.plan(services)
            _say(env, as_json, found.to_json(), plan_report.render(found))

    run(work, as_json=as_json, env=env)


@app.command()
def rotate(
    env: EnvName,
    yes: Yes = False,
    no_wait: NoWait = False,
    approve: Annotated[
        list[str] | None,
        typer.Option("--approve", metavar="NAME", help=f"Give an approval: {approvals.names(approvals.ROTATE)}."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rotate the key: from preflight to the flip and the soak. Run again to go on after a stop."""
    question = "Writes pause: for a moment (strategy replicate) or from the snapshot to the flip (snapshot). Rotate?"

    def options() -> Options:
        return Options(approvals=approvals.answers("rotate", approve or (), approvals.ROTATE), no_wait=no_wait)

    def work(services: Services, options: Options) -> Summary:
        try:
            return rotation.rotate(services, options)
        except WaitingForApproval as stop:
            # --yes alone agrees to no long pause.
            if stop.code != approvals.Approval.LONG_PAUSE or yes or not sys.stdin.isatty():
                raise
            lines = "\n".join((stop.what, stop.why, *(f"  {line}" for line in stop.details)))
            if not typer.confirm(f"{visible(lines)}\nPause writes for so long?", default=False, err=True):
                raise
            agreed = options.approvals | {approvals.Approval.LONG_PAUSE}
            return rotation.rotate(services, replace(options, approvals=agreed))

    _through(env, "rotate", work, options, as_json, yes, question)


@app.command()
def retire(
    env: EnvName,
    yes: Yes = False,
    no_wait: NoWait = False,
    approve: Annotated[
        list[str] | None,
        typer.Option("--approve", metavar="NAME", help=f"Give an approval: {approvals.names(approvals.RETIRE)}."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """After the soak: final snapshot under the new key, blue deleted, old key disabled and scheduled for deletion."""
    question = "Blue will be deleted after its final snapshot, and the old key scheduled for deletion. Retire?"

    def options() -> Options:
        return Options(approvals.answers("retire", approve or (), approvals.RETIRE), no_wait=no_wait)

    _through(env, "retire", retirement.retire, options, as_json, yes, question, retirement.waiting)


@app.command()
def rollback(
    env: EnvName,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="ENV", help="The env's name again: writes on green may be lost.")
    ] = None,
    approve: Annotated[
        list[str] | None,
        typer.Option("--approve", metavar="NAME", help=f"Give an approval: {approvals.names(approvals.ROLLBACK)}."),
    ] = None,
    delete_snapshots: Annotated[
        bool,
        typer.Option(
            "--delete-snapshots",
            help="Keep no snapshot of it, green's last one included: writes that are on green alone are gone for good.",
        ),
    ] = False,
    no_wait: NoWait = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take the rotation back, at any point before retire."""

    def options() -> Options:
        if confirm is not None and confirm != env:
            _refuse_confirm(env, confirm)
        given = approvals.answers("rollback", approve or (), approvals.ROLLBACK)
        return Options(given, delete_snapshots=delete_snapshots, lose_writes=confirm == env, no_wait=no_wait)

    agreed, question = yes or confirm == env, "Take the rotation back?"
    _through(env, "rollback", rotation.rollback, options, as_json, agreed, question, rotation.taken_back)


@app.command()
def status(env: EnvName, as_json: AsJson = False) -> None:
    """Show where the env stands; change nothing."""

    def work() -> None:
        with wiring.workbench(env, "status", as_json=as_json, locked=False) as services:
            found = status_command.status(services)
            _say(env, as_json, found.to_json(), status_report.render(found))

    run(work, as_json=as_json, env=env)


app.command()(unlock)


def _through(
    env: str,
    name: str,
    verb: Callable[..., Summary],
    options: Callable[[], Options],
    as_json: bool,
    yes: bool,
    question: str,
    ready: Callable[[Services], object] = lambda services: None,
) -> None:
    """`ready` refuses what the journal rules out, before the question is asked."""

    def work() -> None:
        agreed = options()
        with wiring.workbench(env, name, as_json=as_json, locked=True) as services:
            ready(services)
            _confirm(env, yes or services.env.config.sandbox is not None, question)
            summary = verb(services, agreed)
            _say(env, as_json, to_json(summary), "\n" + render_text(summary))

    run(work, as_json=as_json, env=env)


def _confirm(env: str, agreed: bool, question: str) -> None:
    if agreed:
        return
    if not sys.stdin.isatty():
        raise WaitingForApproval(
            f"{env} needs a yes.",
            why=f"{question} Without a terminal, the tool cannot ask.",
            fix="Add --yes (make: YES=1).",
        )
    if not typer.confirm(f"{env}: {question}", default=False, err=True):
        raise WaitingForApproval("Nothing was done.", why="You did not agree.", fix="Run it again when you do.")


def _refuse_confirm(env: str, confirm: str) -> None:
    raise UsageError(
        f"--confirm {confirm} is not the env's name.", why="It guards against lost writes.", fix=f"--confirm {env}"
    )


def _say(env: str, as_json: bool, document: dict[str, Any], text: str) -> None:
    told = typed(env)
    result = json.dumps(told.deep(document), indent=2) + "\n" if as_json else fitted(told.say(text), _columns())
    fault = put(sys.stdout, result)
    if fault is not None:
        raise explain(fault, "The result could not be written to standard output.") or fault


def _columns() -> int | None:
    """Of the terminal that the result goes to; None for pipes and files, where lines stay whole."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def main() -> None:
    """Entry point of the console script."""
    app()
