from rotator.domain.errors import Blocked
from rotator.report.errors import error_json, render_error

ARN = "arn:aws:kms:eu-central-1:123456789012:key/1a2b3c4d-1a2b-3c4d-5e6f-1a2b3c4d5e6f"


def test_three_parts_within_eighty_columns() -> None:
    text = render_error(
        Blocked("word " * 30, why="reason " * 20, fix="do this " * 20, details=("a  detail,  as it is",), code="x")
    )
    lines = text.splitlines()
    assert lines[0].startswith("error (x): word")
    assert sum(line.startswith("  why  reason") for line in lines) == 1
    assert sum(line.startswith("  fix  do this") for line in lines) == 1
    assert lines[-1] == "       a  detail,  as it is"
    assert max(map(len, lines)) <= 80


def test_nothing_that_is_copied_is_broken() -> None:
    assert ARN in render_error(Blocked(f"Key {ARN} is disabled.", fix=f"aws kms enable-key --key-id {ARN}"))


def test_absent_parts_leave_no_label() -> None:
    assert render_error(Blocked("Stop.")) == "error (blocked): Stop.\n"


def test_json_has_the_exit_code() -> None:
    assert error_json(Blocked("Stop.", fix="go", details=("d",)))["error"] == {
        "code": "blocked",
        "what": "Stop.",
        "why": "",
        "fix": "go",
        "details": ["d"],
        "exit_code": 20,
    }
