"""The IAM policy that docs/security.md gives, and what it says that not every rotation asks for."""

from __future__ import annotations

import json
import re
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "security.md"
NOT_CALLED = ("iam:PassRole", "s3:")
"""Rights that go with a call of another name, or that another backend than the sandbox's asks for."""


def documented() -> frozenset[str]:
    """Every action of the policy."""
    text = re.search(r"```json\n(\{.*?\n\})\n```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert text is not None
    statements = json.loads(text[1])["Statement"]
    return frozenset(action for each in statements for action in each["Action"])
