"""The IAM policy that docs/security.md gives, and what it says that not every rotation asks for."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "security.md"
NOT_CALLED = ("iam:PassRole", "s3:")
"""Rights that go with a call of another name, or that another backend than the sandbox's asks for."""


RIGHT_OF = {
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
}
"""Operations that have a right of another name (Service Authorization Reference, "Amazon S3")."""


def statements() -> list[dict[str, Any]]:
    """The policy's."""
    text = re.search(r"```json\n(\{.*?\n\})\n```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert text is not None
    return list(json.loads(text[1])["Statement"])


def documented() -> frozenset[str]:
    """Every action of the policy."""
    return frozenset(action for each in statements() for action in each["Action"])


def allowed(action: str, resource: str) -> bool:
    """Whether the policy allows an action on an ARN, whatever its conditions are."""
    on = [each["Resource"] for each in statements() if action in each["Action"]]
    patterns = [pattern for each in on for pattern in ([each] if isinstance(each, str) else each)]
    return any(fnmatchcase(resource, pattern) for pattern in patterns)
