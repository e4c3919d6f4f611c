"""Which reporter fits where the output goes."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console

from rotator.report.live.interface import Reporter
from rotator.report.live.plain import PlainReporter
from rotator.report.live.rich_strip import StripReporter


def open_reporter(stdout: TextIO, stderr: TextIO, *, as_json: bool, environ: dict[str, str]) -> Reporter:
    """The strip on a terminal that can show it; plain lines else.

    With `as_json` stdout is kept for the one JSON object at the end, so that progress goes to stderr as plain lines.
    """
    if as_json:
        return PlainReporter(stderr)
    if stdout.isatty() and environ.get("TERM") != "dumb" and not environ.get("CI"):
        return StripReporter(Console(file=stdout))
    return PlainReporter(stdout)
