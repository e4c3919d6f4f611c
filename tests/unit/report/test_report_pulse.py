"""Signs of life: none for quick work, a line for slow work, on the stream that is not the result's."""

from __future__ import annotations

import io
import threading

from rotator.report.live.pulse import pulse


class Heard(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.line = threading.Event()

    def write(self, text: str) -> int:
        count = super().write(text)
        self.line.set()
        return count


def test_slow_work_is_named() -> None:
    out = Heard()
    with pulse(out, "asking AWS", first=0.01):
        assert out.line.wait(10)
    assert out.getvalue() == "asking AWS ...\n"


def test_quick_work_says_nothing() -> None:
    out = Heard()
    with pulse(out, "asking AWS", first=60):
        pass
    assert out.getvalue() == ""
