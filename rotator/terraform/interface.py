"""What the steps need of Terraform: a runner for one root. The implementation is terraform/runner.py alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class ApplyEvent:
    """One line of `terraform apply -json` that is worth showing: resource address, action, what happened, seconds."""

    kind: str
    address: str
    action: str
    elapsed_seconds: int
    message: str


OnEvent = Callable[[ApplyEvent], None]


class Terraform(Protocol):
    """One root. Methods raise TerraformError and its kin; they never print.

    `runs` is a list of (subcommand, seconds) of this process, for the closing summary.
    """

    @property
    def root(self) -> Path: ...

    @property
    def runs(self) -> tuple[tuple[str, float], ...]: ...

    def version(self) -> str: ...
    def init(self) -> None: ...

    def plan(self, out: Path) -> bool:
        """Write a saved plan to `out`; True when it has changes."""
        ...

    def show(self, plan: Path) -> Mapping[str, Any]:
        """The saved plan as JSON (sensitive values are in clear in it: it never leaves the process)."""
        ...

    def apply(self, plan: Path, on_event: OnEvent) -> None:
        """Apply exactly that saved plan."""
        ...

    def wait_for_applies(self) -> None:
        """Return once no process of an apply of an earlier run is alive. Raises TerraformStateLocked."""
        ...

    def untaint(self, address: str) -> None:
        """Take the tainted mark off a resource of the state; nothing happens when it has none."""
        ...

    def forget(self, address: str) -> None:
        """Take an address out of the state; what it stands for stays. Nothing happens when it is not there."""
        ...

    def state_addresses(self) -> frozenset[str]:
        """Resource addresses in the state (`terraform state list`); empty when there is no state."""
        ...

    def interrupt(self) -> None:
        """Ask the running command to end gracefully; a second call kills it. May be called from any thread."""
        ...
