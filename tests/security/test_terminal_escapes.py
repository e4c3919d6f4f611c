"""A database user, or whoever may set a tag or a DNS answer: they name things so that the reader's terminal obeys them.

They gain what escape sequences do: a title, a clipboard, a hidden line, an answer typed into the shell; in CI, commands
of the runner that stand at the begin of a line.
"""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from rotator.domain.errors import DatabaseError
from rotator.report.errors import render_error
from rotator.report.live.interface import Reporter, StepInfo
from rotator.report.live.plain import PlainReporter
from rotator.report.live.rich_strip import StripReporter
from rotator.report.pipes import put
from rotator.report.spoken import SpokenReporter

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\r\b\x7f"
RAW = [*"\x1b\x07\x9b\u202e\r\b\x7f"]


def raw(text: str) -> list[str]:
    return [character for character in RAW if character in text]


def test_an_error_reaches_the_stream_with_its_escapes_spelt_out() -> None:
    stream = io.StringIO()
    error = DatabaseError(f"table {EVIL}", why=EVIL, fix=EVIL, details=(EVIL,), on_terminal=(EVIL,))
    put(stream, render_error(error, on_terminal=True))
    assert raw(stream.getvalue()) == []
    assert "\\x1b]0;owned" in stream.getvalue()


@pytest.mark.parametrize("kind", ["plain", "strip"])
def test_no_reporter_prints_them(kind: str) -> None:
    """The live strip's own sequences stay: so each text is looked for as it was given."""
    stream = io.StringIO()
    inner: Reporter = (
        PlainReporter(stream)
        if kind == "plain"
        else StripReporter(Console(file=stream, force_terminal=True, width=300, color_system=None))
    )
    reporter = SpokenReporter(inner, str)
    reporter.begin(f"local-g1{EVIL}", (StepInfo("key", f"Make {EVIL}"),))
    reporter.start("key")
    reporter.progress("key", 0.5, f"reading {EVIL}")
    reporter.note(f"note {EVIL}")
    reporter.done("key", f"done {EVIL}", 1.0, 0.0)
    reporter.close()
    for part in ("\x1b]0;owned", "\x07", "\x1b[2J\x9b", "\x9b31m", "\u202egnp"):
        assert part not in stream.getvalue()


@pytest.mark.parametrize("command", ["::add-mask::x", "##[error]x", "  ::set-output name=a::b"])
def test_a_line_that_a_ci_runner_would_obey_is_not_one(command: str) -> None:
    stream = io.StringIO()
    put(stream, render_error(DatabaseError('table "a\n' + command + '"', details=(f"a\n{command}",))))
    assert not [line for line in stream.getvalue().splitlines() if line.lstrip().startswith(("::", "##["))]


def test_ordinary_text_of_any_language_stays_as_it_is() -> None:
    stream = io.StringIO()
    text = "Bestätigt – 確認 ✓\n\tEinzug\u00a0hier\n"
    put(stream, text)
    assert stream.getvalue() == text
