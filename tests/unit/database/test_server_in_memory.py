"""The server that the unit tests use holds what the real ones are held to (tests/sandbox/test_engine_contract.py)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_database import FakeServer
from fake_world import BLUE, Data, World
from server_contract import counters_are_raised_and_never_set_back, what_is_fenced_takes_no_writes_until_it_is_opened

from rotator.database.interface import DatabaseServer


@pytest.mark.parametrize(
    "held",
    [counters_are_raised_and_never_set_back, what_is_fenced_takes_no_writes_until_it_is_opened],
    ids=lambda held: held.__name__,
)
def test_it_holds(held: Callable[[DatabaseServer], None]) -> None:
    held(FakeServer(World(data={BLUE: Data()}), BLUE))
