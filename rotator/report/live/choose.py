"""The reporter that fits the output."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console

from rotator.report.live.interface import Reporter
from rotator.report.live.plain import PlainReporter
from rotator.report.live.rich_strip import StripReporter


def open_reporter(stdout: TextIO, stderr: TextIO, *, as_json: bool, environ: dict[str, str]) -> Reporter:
    """Live progress on a terminal that supports it; else plain lines.

    With `as_json` stdout has only the JSON object at the end; progress goes to stderr as plain lines.
    """
    if as_json:
        return PlainReporter(stderr)
    if stdout.isatty() and environ.get("TERM") != "dumb" and not environ.get("CI"):
        return StripReporter(Console(file=stdout))
    return PlainReporter(stdout)
