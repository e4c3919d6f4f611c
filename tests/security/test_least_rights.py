"""Somebody with the tool's AWS credentials: the documented policy allows what the tool asks for, and nothing else.

What they would gain by a policy that is wider than the tool: everything else in the account.
"""

from __future__ import annotations

import re
from pathlib import Path

import boto3
import pytest
from rights import NOT_CALLED, RIGHT_OF, allowed, documented

from rotator.config.load import load_env
from rotator.domain.naming import plan_rotation
from rotator.domain.rotation import Strategy

ROOT = Path(__file__).resolve().parents[2]
AWS = ROOT / "rotator" / "aws"
CALL = re.compile(r"_(client|kms|logs|secrets)\.(?:get_paginator\(\"(\w+)\"|([a-z]\w+)\()")
SERVICES = {
    "rds.py": "rds",
    "mending.py": "rds",
    "kms.py": "kms",
    "identity.py": "sts",
    "route53.py": "route53",
    "secrets.py": "secretsmanager",
    "logs.py": "rds",
    "objects.py": "s3",
}
CLIENTS = {"kms": "kms", "logs": "logs", "secrets": "secretsmanager"}


def called() -> set[str]:
    """What the facades of rotator/aws call, by their source."""
    found = set()
    for file in sorted(AWS.glob("*.py")):
        for client, paged, plain in CALL.findall(file.read_text(encoding="utf-8")):
            service = CLIENTS.get(client) or SERVICES[file.name]
            names = boto3.client(service, region_name="us-east-1").meta.method_to_api_mapping
            if (paged or plain) in names:
                found.add(f"{service}:{names[paged or plain]}")
    return {RIGHT_OF.get(call, call) for call in found}


def test_the_policy_holds_every_call_of_the_tool() -> None:
    found = called()
    assert len(found) > 20
    assert found <= documented()


@pytest.mark.parametrize(("source", "target"), [("g0", "g1"), ("g9", "g10")])
def test_the_policy_covers_what_a_rotation_of_its_env_makes_and_nobody_elses(source: str, target: str) -> None:
    config = load_env(ROOT, "example").config
    alias = config.key.alias
    names = plan_rotation(
        "orders", config.database.identifier, source, target, key_alias=alias, strategy=Strategy.REPLICATE
    )
    rds, kms = "arn:aws:rds:eu-central-1:123456789012", "arn:aws:kms:eu-central-1:123456789012"
    snapshots = (
        names.source_snapshot, names.copy_snapshot, names.final_snapshot, names.final_copy, names.rolled_back_snapshot
    )  # fmt: skip
    for snapshot in snapshots:
        for action in ("CreateDBSnapshot", "CopyDBSnapshot", "DeleteDBSnapshot", "RestoreDBInstanceFromDBSnapshot"):
            assert allowed(f"rds:{action}", f"{rds}:snapshot:{snapshot}"), (action, snapshot)
    for instance in (names.blue, names.green):
        for action in ("CreateDBSnapshot", "RestoreDBInstanceFromDBSnapshot", "ModifyDBInstance", "DeleteDBInstance"):
            assert allowed(f"rds:{action}", f"{rds}:db:{instance}"), (action, instance)
    assert allowed("kms:CreateAlias", f"{kms}:{names.new_alias}")
    secret = f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{config.database.credentials.secret_id}-AbCdEf"
    assert allowed("secretsmanager:GetSecretValue", secret)
    for others in (f"{rds}:snapshot:rotator-payments-g1-source", f"{rds}:snapshot:orders-of-others"):
        assert not allowed("rds:DeleteDBSnapshot", others)
    assert not allowed("rds:DeleteDBInstance", f"{rds}:db:payments")


def test_the_policy_names_actions_one_by_one() -> None:
    """No wildcard: what comes to a service later is not allowed unseen."""
    assert not [action for action in documented() if "*" in action]


def test_the_policy_cannot_widen_itself() -> None:
    """No role, no user, no policy of others can be changed by it; no key's use is given away by it."""
    outside = [
        action for action in documented() if action.startswith(("iam:", "sts:Assume", "ec2:", "kms:PutKeyPolicy"))
    ]
    assert [action for action in outside if action not in NOT_CALLED] == []
    assert not {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"} & documented()
