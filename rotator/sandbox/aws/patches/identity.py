"""Instances can be told apart, and are found by their resource id as the Terraform provider looks for them."""

from __future__ import annotations

import secrets
import string
from typing import Any

from moto.rds.models import DBInstance

from rotator.sandbox.aws.patches.core import Context, Patch, Patcher

ALPHABET = string.ascii_uppercase + string.digits


def _unique_resource_id(patcher: Patcher, _: Context) -> None:
    def make(original: Any) -> Any:
        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            self.dbi_resource_id = "db-" + "".join(secrets.choice(ALPHABET) for _ in range(26))

        return __init__

    patcher.wrap(DBInstance, "__init__", make)


PATCHES = (
    Patch(
        "unique-resource-id",
        "moto gives every instance the same DbiResourceId; the Terraform provider reads instances by it",
        _unique_resource_id,
    ),
)
