"""The error tree. Every error that a user can meet says what happened, why, and what to do.

The exit codes are the documented ones (docs/runbook.md, "Exit codes"). This module imports nothing of ours.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of the command line."""

    DONE = 0
    USAGE = 2
    WAITING_FOR_APPROVAL = 10
    WAITING_FOR_AWS = 11
    BLOCKED = 20
    TERRAFORM = 30
    AWS = 31
    DATABASE = 32
    LOCKED = 40
    BUG = 70
    INTERRUPTED = 130


class RotatorError(Exception):
    """Base of all expected errors: `what` happened, `why`, and the `fix`; `details` are further lines, safe to print.

    `on_terminal` are lines that name rows by their keys: they are shown to a person at a terminal, and nowhere else.
    `code` is a stable kebab-case word for machines and for the runbook's index; subclasses set a default.
    """

    exit_code: ExitCode = ExitCode.BUG
    code: str = "error"

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        fix: str = "",
        details: tuple[str, ...] = (),
        on_terminal: tuple[str, ...] = (),
        code: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix
        self.details = details
        self.on_terminal = on_terminal
        if code is not None:
            self.code = code


class UsageError(RotatorError):
    """A wrong argument, or a file that is not there."""

    exit_code = ExitCode.USAGE
    code = "usage"


class ConfigError(RotatorError):
    """rotation.toml is wrong; the text names the file, the key and the fix."""

    exit_code = ExitCode.USAGE
    code = "config"


class WaitingForApproval(RotatorError):
    """The rotation waits at a gate for a person's decision."""

    exit_code = ExitCode.WAITING_FOR_APPROVAL
    code = "waiting-for-approval"


class WaitingForAws(RotatorError):
    """With --no-wait: AWS is still at work."""

    exit_code = ExitCode.WAITING_FOR_AWS
    code = "waiting-for-aws"


class KeyStaysDisabled(RotatorError):
    """The old key has not been disabled for as long as [retire] disabled_for says."""

    exit_code = ExitCode.WAITING_FOR_AWS
    code = "key-stays-disabled"


class Blocked(RotatorError):
    """Refused by preflight, by the plan firewall, or by a conflict between journal and world."""

    exit_code = ExitCode.BLOCKED
    code = "blocked"


class TerraformError(RotatorError):
    """Terraform failed."""

    exit_code = ExitCode.TERRAFORM
    code = "terraform"


class TerraformMissing(TerraformError):
    """No usable Terraform binary."""

    code = "terraform-missing"


class TerraformInitError(TerraformError):
    """`terraform init` failed (provider or backend)."""

    code = "terraform-init"


class TerraformAuthError(TerraformError):
    """Terraform's provider or backend found no valid credentials."""

    code = "terraform-auth"


class TerraformStateLocked(TerraformError):
    """Terraform's own state lock is held by somebody else; details name the lock's id, holder and time."""

    code = "terraform-state-locked"


class AwsError(RotatorError):
    """An AWS API call failed."""

    exit_code = ExitCode.AWS
    code = "aws"


class AwsCredentialsError(AwsError):
    """No credentials, or they are refused."""

    code = "aws-credentials"


class AwsUnreachable(AwsError):
    """The AWS endpoint does not answer."""

    code = "aws-unreachable"


class DatabaseError(RotatorError):
    """The database refused or failed a statement."""

    exit_code = ExitCode.DATABASE
    code = "database"


class DatabaseUnreachable(DatabaseError):
    """The database cannot be reached or refuses the connection."""

    code = "database-unreachable"


class MachineError(RotatorError):
    """The machine at hand refused: a full disk, a folder without permission, no more open files."""

    exit_code = ExitCode.BLOCKED
    code = "machine"


class LockedError(RotatorError):
    """Another run works on this env (I7: one rotation per env at a time)."""

    exit_code = ExitCode.LOCKED
    code = "locked"


class Interrupted(RotatorError):
    """The user (or CI) asked the run to stop."""

    exit_code = ExitCode.INTERRUPTED
    code = "interrupted"


def journal_behind(what: str) -> Blocked:
    """The refusal to go on with an older copy of the journal."""
    return Blocked(
        f"The journal is behind: {what}",
        why="Another run has continued with a newer copy of this journal.",
        fix="Bring its newest copy: from the last commit, the other clone or the other machine. Change nothing else.",
        code="journal-behind",
    )
