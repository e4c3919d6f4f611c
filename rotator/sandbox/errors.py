"""Errors of the sandbox."""

from __future__ import annotations

from rotator.domain.errors import ExitCode, RotatorError


class SandboxError(RotatorError):
    """The local AWS cannot be started, stopped or used."""

    exit_code = ExitCode.AWS
    code = "sandbox"


class SandboxPortTaken(SandboxError):
    """Another program uses the sandbox's port."""

    code = "sandbox-port-taken"
