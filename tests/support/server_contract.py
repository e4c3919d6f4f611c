"""What every database server must hold, the real ones and the one in memory: called by the tests of each."""

from __future__ import annotations

from dataclasses import replace

from rotator.database.interface import DatabaseServer

ID = "contract"


def counters_are_raised_and_never_set_back(server: DatabaseServer) -> None:
    """There is a counter whose name has 'item' in it."""
    name, at = next((name, at) for name, at in server.counters().items() if "item" in name)
    ahead = replace(at, last_value=at.last_value + 100, is_called=True)
    assert server.raise_counters({name: ahead}) == (name,)
    assert server.counters()[name].last_value == at.last_value + 100
    assert server.raise_counters({name: at}) == ()
    assert server.raise_counters({name: ahead}) == (), "it stands there already"
    assert server.raise_counters({f"{name}_of_nobody": ahead}) == ()
    assert f"{name}_of_nobody" not in server.counters()
    assert server.counters()[name].last_value == at.last_value + 100


def what_is_fenced_takes_no_writes_until_it_is_opened(server: DatabaseServer) -> None:
    assert not server.fence_state().on
    state = server.fence(ID, 10.0)
    assert (state.on, state.sealed, state.rotation_id) == (True, True, ID)
    assert server.probe("while fenced")[1] is False
    server.unfence()
    assert not server.fence_state().on
    assert server.probe("opened again")[1] is True
    assert server.has_probe("opened again")
    assert not server.has_probe("while fenced")
    server.forget()
    assert server.fence_state().rotation_id is None
