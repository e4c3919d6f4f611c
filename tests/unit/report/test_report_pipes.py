"""A reader that goes away must not stop the writer."""

from __future__ import annotations

import os

from rotator.report.live.plain import PlainReporter
from rotator.report.pipes import put


def test_a_reporter_goes_on_when_nobody_reads_any_more() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        reporter = PlainReporter(stream)
        reporter.begin("shop-g1", ())
        reporter.note("and on")
        put(stream, "and on")


def test_what_is_read_arrives_at_once() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading) as reader, os.fdopen(writing, "w") as stream:
        put(stream, "line\n")
        assert reader.readline() == "line\n"
