"""The two kinds of findings, made in a line."""

from __future__ import annotations

from rotator.domain.database import Finding


def block(code: str, what: str, why: str, fix: str) -> Finding:
    """It must be fixed first."""
    return Finding(code, what, why, fix, blocks=True)


def warn(code: str, what: str, why: str, fix: str) -> Finding:
    """Good to know."""
    return Finding(code, what, why, fix, blocks=False)
