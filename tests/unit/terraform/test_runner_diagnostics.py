"""Terraform's outputs as data: diagnostics, events."""

import json

import pytest

from rotator.terraform.diagnostics import Diagnostic, errors, from_stream, from_text, tail
from rotator.terraform.interface import ApplyEvent
from rotator.terraform.stream import event

PLAIN = """
Warning: Something old

Do not use it.

Error: creating RDS DB Instance (restore): InvalidParameterValue

  with module.database["g1"].aws_db_instance.this,
  on ../../modules/db_instance/main.tf line 3, in resource "aws_db_instance" "this":
   3:   password = "hunter2"

operation error RDS: no
"""

BOXED = "\x1b[31m╷\x1b[0m\n│ Error: Backend configuration changed\n│ \n│ A change has been\n│ detected.\n╵\n"


def test_text_without_boxes_gives_address_and_detail_and_no_source_line() -> None:
    old, failed = from_text(PLAIN)
    assert old == Diagnostic("warning", "Something old", "Do not use it.")
    assert failed.summary == "creating RDS DB Instance (restore): InvalidParameterValue"
    assert failed.address == 'module.database["g1"].aws_db_instance.this'
    assert failed.detail == "operation error RDS: no"
    assert "hunter2" not in failed.line


def test_text_with_boxes_and_colours() -> None:
    (found,) = from_text(BOXED)
    assert found.line == "Backend configuration changed: A change has been detected."


@pytest.mark.parametrize("text", ["", "No state file was found!", "panic: runtime error"])
def test_text_without_diagnostics(text: str) -> None:
    assert from_text(text) == ()


def test_stream_keeps_diagnostics_only_and_leaves_the_snippet_out() -> None:
    wanted = {"severity": "error", "summary": "S", "detail": "D", "address": "a.b", "snippet": {"code": "hunter2"}}
    lines = ["not json", "{broken", "[]", json.dumps({"type": "version"})]
    lines.append(json.dumps({"type": "diagnostic", "diagnostic": wanted}))
    assert from_stream(lines) == (Diagnostic("error", "S", "D", "a.b"),)


def test_errors_are_given_once_and_without_warnings() -> None:
    error, warning = Diagnostic("error", "S", "D"), Diagnostic("warning", "W", "")
    assert errors([error, warning, error]) == (error,)


def test_tail_is_the_last_lines_without_colour() -> None:
    assert tail("a\n\n\x1b[31mb\x1b[0m\n\nc\n", lines=2) == ("b", "c")


def hook(kind: str, **more: object) -> str:
    resource = {"addr": "module.endpoint.aws_route53_record.this"}
    message = "x: Modifications complete after 3s [id=SECRETISH]"
    return json.dumps({"type": kind, "@message": message, "hook": {"resource": resource, "action": "update", **more}})


def test_an_apply_event() -> None:
    assert event(hook("apply_complete", elapsed_seconds=3)) == ApplyEvent(
        "apply_complete", "module.endpoint.aws_route53_record.this", "update", 3, "x: Modifications complete after 3s"
    )


@pytest.mark.parametrize("kind", ["provision_progress", "planned_change", "outputs", "version", "refresh_start"])
def test_lines_that_show_nothing_or_could_show_a_value(kind: str) -> None:
    assert event(hook(kind, output="hunter2")) is None


def test_waiting_for_the_lock_is_an_event() -> None:
    found = event(json.dumps({"type": "state_lock_acquire", "@message": "Acquiring state lock."}))
    assert found is not None
    assert found.message == "waiting for the state lock"


def test_a_line_that_is_no_json() -> None:
    assert event("warning: something") is None
