"""Terraform's diagnostics -> one typed error with what, why and fix. Pure.

Texts come from Terraform 1.11 and the AWS provider 5 (and the SDK under it); the table is tried from top to bottom.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rotator.domain.env_files import DATA_FILE
from rotator.domain.errors import TerraformAuthError, TerraformError, TerraformInitError, TerraformStateLocked
from rotator.terraform.diagnostics import Diagnostic, errors, tail

_LOCK_LINE = re.compile(r"^[ \t\u2502]*+(\w++):[ \t]++(\S[^\n]*+)$", re.MULTILINE)
_LOCK_FIELDS = ("ID", "Path", "Operation", "Who", "Created")
_DETAIL_LIMIT = 20

CONDITION = "terraform-condition"
"""The code of a plan that a pre- or postcondition has stopped."""


@dataclass(frozen=True)
class Failure:
    """One failed run: the subcommand, its root, exit code, diagnostics, and standard error as text."""

    subcommand: str
    root: Path
    code: int
    diagnostics: tuple[Diagnostic, ...]
    stderr: str = ""

    @property
    def text(self) -> str:
        """All errors as one text to match against."""
        return "\n".join(f"{item.summary}\n{item.detail}" for item in errors(self.diagnostics))

    @property
    def command(self) -> str:
        return f"terraform {self.subcommand} ({self.root.name})"

    @property
    def first(self) -> str:
        """The first error as a line, else the end of standard error."""
        found = errors(self.diagnostics)
        return found[0].line if found else " / ".join(tail(self.stderr)) or f"exit code {self.code}, with no message"

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(item.line for item in errors(self.diagnostics))[:_DETAIL_LIMIT]


def to_error(failure: Failure) -> TerraformError:
    """The typed error of a failed run."""
    for pattern, build in _TABLE:
        if pattern.search(failure.text):
            return build(failure)
    if failure.subcommand == "init":
        return _init(failure)
    return _general(failure)


def _general(failure: Failure) -> TerraformError:
    found = errors(failure.diagnostics)
    place = f" at {found[0].address}" if found and found[0].address else ""
    if failure.code < 0:
        return TerraformError(
            f"{failure.command} was killed by signal {-failure.code}",
            why="another process or the kernel ended it, for example for lack of memory",
            fix="check the machine's log, then run the same command again; a state lock may remain",
            details=failure.lines,
        )
    state = "applied changes stay" if failure.subcommand == "apply" else "nothing was changed"
    return TerraformError(
        f"{failure.command} failed{place}",
        why=failure.first,
        fix=f"{state}; fix the cause, then run the same command again: it resumes from the real state",
        details=failure.lines[1:],
        code=f"terraform-{failure.subcommand.split()[0]}",
    )


def _typed(failure: Failure) -> str:
    """Terraform in that root, as a shell takes it."""
    return f"terraform -chdir={shlex.quote(str(failure.root))}"


def _locked(failure: Failure) -> TerraformError:
    # Human output draws a box around it.
    text = f"{failure.text}\n{failure.stderr}"
    info = {name: value.rstrip() for name, value in _LOCK_LINE.findall(text)}
    lock = info.get("ID", "unknown")
    return TerraformStateLocked(
        f"{failure.command}: the state is locked by {info.get('Who', 'another process')}",
        why=f"{info.get('Operation', 'another operation')} holds it since {info.get('Created', 'an unknown time')}",
        fix=(
            "wait for it and run the same command again; only if you know that this process is dead, free the lock: "
            f"`{_typed(failure)} force-unlock {shlex.quote(lock)}`"
        ),
        details=tuple(f"{name}: {info[name]}" for name in _LOCK_FIELDS if name in info),
    )


def _stale(failure: Failure) -> TerraformError:
    return TerraformError(
        f"{failure.command}: the state has changed since the plan was made",
        why="another run applied changes in between; this run applied nothing",
        fix="run the same command again: it makes a new plan",
        code="terraform-plan-stale",
    )


def _auth(failure: Failure) -> TerraformError:
    denied = re.search(r"not authorized to perform: (\S+)", failure.text)
    fix = (
        f"allow {denied.group(1)} for this identity"
        if denied
        else "renew or set the AWS credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID, SSO login), then run it again"
    )
    return TerraformAuthError(
        f"{failure.command}: AWS refuses the credentials or finds none",
        why=failure.first,
        fix=fix,
        details=failure.lines[1:],
    )


def _unreachable(failure: Failure) -> TerraformError:
    return TerraformError(
        f"{failure.command}: an endpoint cannot be reached",
        why=failure.first,
        fix="check the network, [aws] endpoint_url and AWS_ENDPOINT_URL, then run the same command again",
        details=failure.lines[1:],
        code="terraform-unreachable",
    )


def _init(failure: Failure) -> TerraformError:
    return TerraformInitError(
        f"{failure.command} failed",
        why=failure.first,
        fix=f"run `{_typed(failure)} init` yourself to see more",
        details=failure.lines[1:],
    )


def _provider(failure: Failure) -> TerraformError:
    return TerraformInitError(
        f"{failure.command}: a provider cannot be installed",
        why=failure.first,
        fix=(
            "give access to the registry, or put a filesystem mirror (`terraform providers mirror`) into "
            "~/.terraform.d/plugins or a folder under /opt, or name it in ~/.terraformrc"
        ),
        details=failure.lines[1:],
    )


def _backend(failure: Failure) -> TerraformError:
    return TerraformInitError(
        f"{failure.command}: the backend differs from the one the root was initialised with",
        why=failure.first,
        fix=(
            f"if you want to move the state: `{_typed(failure)} init -migrate-state`; else "
            f"`{_typed(failure)} init -reconfigure`. This tool does neither: it could lose the state"
        ),
        details=failure.lines[1:],
    )


def _not_initialised(failure: Failure) -> TerraformError:
    return TerraformInitError(
        f"{failure.command}: the root is not initialised, or no longer",
        why=failure.first,
        fix="run the same command again: it initialises the root first",
        details=failure.lines[1:],
    )


def _full(failure: Failure) -> TerraformError:
    return TerraformError(
        f"{failure.command}: this machine has no space left",
        why=failure.first,
        fix="free space on the disks of the project and of the temporary folder (TMPDIR, TF_PLUGIN_CACHE_DIR), then "
        "run the same command again: it resumes from the real state",
        details=failure.lines[1:],
        code="terraform-disk-full",
    )


def _unsaved(failure: Failure) -> TerraformError:
    """The state lacks changes that the apply has made: the next run must not begin before it has them."""
    return TerraformError(
        f"{failure.command}: the state could not be saved",
        why=failure.first,
        fix=f"fix the cause; if there is {failure.root / 'errored.tfstate'}, it is the state: upload it with "
        f"`{_typed(failure)} state push errored.tfstate`, then remove that file; then run the same command again",
        details=failure.lines[1:],
        code="terraform-state-unsaved",
    )


def _condition(failure: Failure) -> TerraformError:
    """A pre- or postcondition: in an apply an ordinary failure; in a plan it has prevented the change."""
    if failure.subcommand != "plan":
        return _general(failure)
    return TerraformError(
        f"{failure.command}: a condition of the root does not hold",
        why=failure.first,
        fix="undo the manual change in the root (`git diff` in the env's folder) or outside of it, then run it again",
        details=failure.lines[1:],
        code=CONDITION,
    )


def _no_data(failure: Failure) -> TerraformError:
    return TerraformError(
        f"{failure.command}: the root's data file is missing",
        why=failure.first,
        fix=f"every `rotator` command writes {DATA_FILE} from the journal; run one, then plan again",
        details=failure.lines[1:],
        code="terraform-no-data",
    )


_TABLE: tuple[tuple[re.Pattern[str], Callable[[Failure], TerraformError]], ...] = (
    (re.compile(r"\bLock Info:"), _locked),
    (re.compile(r"^Saved plan is stale", re.MULTILINE), _stale),
    (re.compile(r"^(Failed to (persist|save) state|Error saving state)|errored\.tfstate", re.MULTILINE), _unsaved),
    (re.compile(r"no space left on device|disk quota exceeded|file too large", re.IGNORECASE), _full),
    (re.compile(r"^Backend configuration changed", re.MULTILINE), _backend),
    (
        re.compile(
            r"^(Backend initialization required|Required plugins are not installed|Inconsistent dependency lock file"
            r"|Module not installed|Could not load plugin)",
            re.MULTILINE,
        ),
        _not_initialised,
    ),
    (
        re.compile(
            r"^(Failed to query available provider packages|Failed to install provider|Invalid provider registry host)",
            re.MULTILINE,
        ),
        _provider,
    ),
    (
        re.compile(
            r"No valid credential sources|failed to refresh cached credentials|get credentials|no EC2 IMDS role found"
            r"|failed to get shared config profile|ExpiredToken|InvalidClientTokenId|UnrecognizedClient"
            r"|SignatureDoesNotMatch|AuthFailure|AccessDenied|UnauthorizedOperation|not authorized to perform"
            r"|InvalidAccessKeyId"
        ),
        _auth,
    ),
    (
        re.compile(
            r"connection refused|no such host|i/o timeout|network is unreachable|connection reset|TLS handshake timeout"
            r"|context deadline exceeded|Client\.Timeout|request send failed"
        ),
        _unreachable,
    ),
    (re.compile(r"^Resource (pre|post)condition failed", re.MULTILINE), _condition),
    (re.compile(r"^No value for required variable", re.MULTILINE), _no_data),
)
