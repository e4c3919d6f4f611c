"""The stages know what the state holds without asking Terraform after every apply."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.errors import TerraformError
from rotator.domain.root import EndpointSpec, Generation, KeySpec, RootData, Stage
from rotator.terraform.stages import TerraformStages

KEY = 'module.key["g1"].aws_kms_key.this'
RECORD = "module.endpoint.aws_route53_record.this"


class FakeTerraform:
    """Plans the creation of a key beside a record that stays; counts its runs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.fails = False
        self.ran: list[str] = []
        self.runs: tuple[tuple[str, float], ...] = ()

    def init(self) -> None: ...

    def plan(self, out: Path) -> bool:
        self.ran.append("plan")
        return True

    def show(self, plan: Path) -> Mapping[str, Any]:
        self.ran.append("show")
        return {"complete": True, "resource_changes": [_change(KEY, "create"), _change(RECORD, "no-op")]}

    def apply(self, plan: Path, on_event: Any) -> None:
        self.ran.append("apply")
        if self.fails:
            raise TerraformError("failed")

    def state_addresses(self) -> frozenset[str]:
        self.ran.append("state list")
        return frozenset({RECORD})


def _change(address: str, action: str) -> dict[str, Any]:
    change = {"actions": [action], "before": None, "after": {}, "after_unknown": {}}
    return {"address": address, "mode": "managed", "type": "x", "name": "this", "change": change}


def _data(*names: str) -> RootData:
    generations = {name: Generation(KeySpec(None, ""), None) for name in names}
    return RootData(generations, "g0", EndpointSpec("Z", "db.example.com", 60))


def _stages(tmp_path: Path) -> tuple[TerraformStages, FakeTerraform]:
    terraform = FakeTerraform(tmp_path)
    return TerraformStages(terraform, tmp_path / "work"), terraform  # type: ignore[arg-type]


def test_a_stage_is_three_runs_however_often_the_state_is_looked_at(tmp_path: Path) -> None:
    stages, terraform = _stages(tmp_path)
    assert stages.state_addresses() == {RECORD}
    terraform.ran.clear()
    stages.state_addresses()
    assert stages.apply(Stage.KEY, _data("g0"), _data("g0", "g1"), lambda data: None, lambda f, d: None)
    assert stages.state_addresses() == {RECORD, KEY}
    assert terraform.ran == ["plan", "show", "apply"]


def test_after_a_failed_apply_the_state_is_asked_again(tmp_path: Path) -> None:
    stages, terraform = _stages(tmp_path)
    terraform.fails = True
    with pytest.raises(TerraformError):
        stages.apply(Stage.KEY, _data("g0"), _data("g0", "g1"), lambda data: None, lambda f, d: None)
    assert stages.state_addresses() == {RECORD}
    assert terraform.ran[-1] == "state list"
