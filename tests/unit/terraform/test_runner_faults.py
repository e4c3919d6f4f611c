"""Terraform's failures as typed errors."""

from pathlib import Path

import pytest

from rotator.domain.errors import ExitCode, TerraformAuthError, TerraformError, TerraformInitError, TerraformStateLocked
from rotator.terraform.diagnostics import Diagnostic
from rotator.terraform.faults import Failure, to_error

ROOT = Path("/somewhere/envs/prod")

LOCK = """Error message: operation error S3: PutObject, api error PreconditionFailed
Lock Info:
  ID:        738c9232-b5d6-fa7d-552b-2a89296c391c
  Path:      states/prod.tfstate
  Operation: OperationTypeApply
  Who:       ci@runner-7
  Version:   1.11.4
  Created:   2025-11-24 03:22:44.299567822 +0000 UTC
  Info:

Terraform acquires a state lock to protect the state."""


def failure(subcommand: str, summary: str, detail: str = "", address: str = "", code: int = 1) -> Failure:
    return Failure(subcommand, ROOT, code, (Diagnostic("error", summary, detail, address),))


def test_a_held_lock_names_its_holder_and_the_way_out() -> None:
    error = to_error(failure("plan", "Error acquiring the state lock", LOCK))
    assert isinstance(error, TerraformStateLocked)
    assert "ci@runner-7" in error.what
    assert "OperationTypeApply" in error.why
    assert "force-unlock 738c9232-b5d6-fa7d-552b-2a89296c391c" in error.fix
    assert "know that this process is dead" in error.fix
    assert error.details == (
        "ID: 738c9232-b5d6-fa7d-552b-2a89296c391c",
        "Path: states/prod.tfstate",
        "Operation: OperationTypeApply",
        "Who: ci@runner-7",
        "Created: 2025-11-24 03:22:44.299567822 +0000 UTC",
    )


def test_a_lock_that_cannot_be_asked_for_is_not_a_held_lock() -> None:
    error = to_error(failure("plan", "Error acquiring the state lock", "api error AccessDenied: no"))
    assert isinstance(error, TerraformAuthError)


@pytest.mark.parametrize(
    ("subcommand", "summary", "detail", "kind", "code"),
    [
        ("apply", "Saved plan is stale", "The given plan file", TerraformError, "terraform-plan-stale"),
        ("init", "Failed to query available provider packages", "Could not", TerraformInitError, "terraform-init"),
        ("init", "Backend configuration changed", "A change", TerraformInitError, "terraform-init"),
        ("init", "Unsupported argument", "x", TerraformInitError, "terraform-init"),
        ("plan", "Backend initialization required, please run", "", TerraformInitError, "terraform-init"),
        ("plan", "Inconsistent dependency lock file", "The", TerraformInitError, "terraform-init"),
        ("plan", "No valid credential sources found", "Please see", TerraformAuthError, "terraform-auth"),
        ("plan", "reading KMS Key", "api error ExpiredTokenException: x", TerraformAuthError, "terraform-auth"),
        ("init", "Retrieving AWS account", "InvalidClientTokenId: x", TerraformAuthError, "terraform-auth"),
        (
            "plan",
            "reading",
            "dial tcp 127.0.0.1:1: connect: connection refused",
            TerraformError,
            "terraform-unreachable",
        ),
        ("plan", "No value for required variable", "The root", TerraformError, "terraform-no-data"),
        ("plan", "Resource precondition failed", "wrong key", TerraformError, "terraform-condition"),
        ("apply", "Resource postcondition failed", "wrong key", TerraformError, "terraform-apply"),
        ("plan", "Invalid value for variable", "x", TerraformError, "terraform-plan"),
        ("state list", "Unexpected", "x", TerraformError, "terraform-state"),
    ],
)
def test_types_and_codes(subcommand: str, summary: str, detail: str, kind: type[TerraformError], code: str) -> None:
    error = to_error(failure(subcommand, summary, detail))
    assert type(error) is kind
    assert error.code == code
    assert error.exit_code is ExitCode.TERRAFORM
    assert error.what
    assert error.why
    assert error.fix


def test_a_missing_right_is_named_in_the_fix() -> None:
    detail = (
        "AccessDenied: User: arn:aws:sts::123456789012:x is not authorized to perform: kms:CreateKey on resource: *"
    )
    assert "kms:CreateKey" in to_error(failure("apply", "creating KMS Key", detail)).fix


def test_a_failed_apply_names_the_address_the_cause_and_all_others() -> None:
    first = Diagnostic("error", "creating RDS DB Instance", "DBInstanceAlreadyExists", "module.a.aws_db_instance.this")
    second = Diagnostic("error", "also", "bad", "b.c")
    error = to_error(Failure("apply", ROOT, 1, (Diagnostic("warning", "w", ""), first, second)))
    assert error.code == "terraform-apply"
    assert "module.a.aws_db_instance.this" in error.what
    assert "DBInstanceAlreadyExists" in error.why
    assert error.details == ("b.c: also: bad",)
    assert "applied changes stay" in error.fix


def test_a_crash_without_diagnostics_shows_the_end_of_standard_error() -> None:
    error = to_error(Failure("plan", ROOT, 11, (), "a\npanic: nil map\n"))
    assert "panic: nil map" in error.why


def test_a_silent_end_is_told_as_such() -> None:
    assert "exit code 11" in to_error(Failure("plan", ROOT, 11, ())).why


def test_a_kill_from_outside_is_told_by_its_signal() -> None:
    error = to_error(Failure("apply", ROOT, -9, ()))
    assert "signal 9" in error.what
    assert "lock" in error.fix
