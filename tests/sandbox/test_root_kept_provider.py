"""A plan through the kept provider is the plan that Terraform makes by itself, and an apply of it goes as ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from root_fixture import Root

from rotator.domain import root_edits as edits
from rotator.domain.root import Stage

pytestmark = pytest.mark.terraform


def providers(folder: Path) -> list[int]:
    """Providers that run in a root: this process's children and whatever is left of others'."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            here = process.name.isdigit() and os.readlink(process / "cwd") == str(folder)
            if here and b"terraform-provider" in (process / "cmdline").read_bytes().split(b"\0")[0]:
                found.append(int(process.name))
        except OSError:
            continue  # it has ended meanwhile, or is another user's
    return found


def test_plans_are_equal_and_one_provider_serves_them_all(root: Root) -> None:
    here = root.terraform.root.resolve()
    root.write(root.adopted)
    first = root.stages.inspect()
    kept = providers(here)
    assert len(kept) == 1
    assert first == root.ordinary().inspect()
    assert first.changes
    root.apply(Stage.ADOPT, root.adopted, root.adopted)
    root.write(edits.without_imports(root.adopted))
    root.stages.check_clean()
    root.ordinary().check_clean()
    assert providers(here) == kept
    root.terraform.close()
    assert providers(here) == []
