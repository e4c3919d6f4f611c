"""A resolver in memory."""

from __future__ import annotations

from dataclasses import dataclass

from fake_world import World

from rotator.network.interface import CnameAnswer


@dataclass
class FakeResolver:
    world: World

    def cname(self, name: str) -> str | None:
        found = self.answer(name)
        return found.target if found is not None else None

    def answer(self, name: str) -> CnameAnswer | None:
        """What the world's `resolves` says of the name, or else Route 53 itself."""
        if name in self.world.resolves:
            said = self.world.resolves[name]
            if isinstance(said, Exception):
                raise said
            return said
        all_ = (self.world.record, *self.world.others)
        found = next((each for each in all_ if each.name == name and each.kind == "CNAME"), None)
        return CnameAnswer(found.values[0].lower(), found.ttl or 0) if found is not None else None

    def addresses(self, name: str) -> tuple[str, ...]:
        return ("127.0.0.1",)

    def watch(self, name: str, target: str) -> FakeWatch:
        return FakeWatch(self.world)


@dataclass
class FakeWatch:
    world: World

    def changed(self, wait_seconds: float) -> float | None:
        return self.world.time.timestamp() + 0.3
