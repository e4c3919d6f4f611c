"""The type of a patch of moto, and how patches are applied and removed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rotator.sandbox.aws.timeline import Clock, Durations
from rotator.sandbox.interface import Fleet


@dataclass(frozen=True)
class Context:
    """What the patches work with: real servers, a clock, and how long things take."""

    fleet: Fleet
    clock: Clock
    durations: Durations


@dataclass(frozen=True)
class Patch:
    """One correction: `why` says what moto does; `needs` names patches that this one builds on."""

    name: str
    why: str
    apply: Callable[[Patcher, Context], None]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Patcher:
    """Replaces attributes of moto's classes and remembers what was there."""

    _undo: list[Callable[[], None]] = field(default_factory=list)

    def wrap(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace `owner.name` by what `make` gives for the present function; `owner` is a class or a module."""
        self.put(owner, name, make(getattr(owner, name)))

    def put(self, owner: Any, name: str, value: Any) -> None:
        """Set `owner.name`, whether it exists or not."""
        had = name in vars(owner)
        before = vars(owner).get(name)
        setattr(owner, name, value)
        self._undo.append(lambda: setattr(owner, name, before) if had else delattr(owner, name))

    def undo(self) -> None:
        """Restore all attributes, last first."""
        while self._undo:
            self._undo.pop()()


@contextmanager
def installed(patches: Collection[Patch], context: Context) -> Iterator[None]:
    """Apply patches in their order (a later one wraps an earlier one) during a with block."""
    patcher = Patcher()
    try:
        for patch in patches:
            patch.apply(patcher, context)
        yield
    finally:
        patcher.undo()
