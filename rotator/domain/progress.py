"""How work that takes a while says where it stands."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float | None, str], None]
"""Called with a fraction 0..1 (None: unknown) and a short text."""
