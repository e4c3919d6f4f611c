import io

import pytest

from rotator.report.live.choose import open_reporter
from rotator.report.live.plain import PlainReporter
from rotator.report.live.rich_strip import StripReporter


class Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(
    ("terminal", "as_json", "environ", "kind"),
    [
        (True, False, {"TERM": "xterm"}, StripReporter),
        (True, True, {"TERM": "xterm"}, PlainReporter),
        (True, False, {"TERM": "dumb"}, PlainReporter),
        (True, False, {"TERM": "xterm", "CI": "true"}, PlainReporter),
        (False, False, {"TERM": "xterm"}, PlainReporter),
    ],
)
def test_the_strip_is_for_terminals_only(terminal: bool, as_json: bool, environ: dict[str, str], kind: type) -> None:
    assert type(open_reporter(Stream(terminal), Stream(terminal), as_json=as_json, environ=environ)) is kind


def test_json_keeps_stdout_clean() -> None:
    out, err = Stream(False), Stream(False)
    open_reporter(out, err, as_json=True, environ={}).note("progress")
    assert (out.getvalue(), err.getvalue()) == ("", "progress\n")
