"""A window that is left without having been passed does what rotation.safety says, in that order."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from rotator.database.interface import Target
from rotator.database.postgres.replication.names import Names
from rotator.database.postgres.window.window import PostgresWindow
from rotator.database.replication import Budgets
from rotator.rotation.safety import Move, Name, Side, Sides, way


@dataclass
class Fence:
    """What was done to which side."""

    done: list[Move] = field(default_factory=list)

    def shut_other(self) -> None:
        self.done.append(Move.SHUT_GREEN)

    def open(self) -> None:
        self.done.append(Move.UNFENCE_BLUE)


def left(opening: bool) -> list[Move]:
    fence, nowhere = Fence(), Target("localhost", 5432, "nobody", "shop")
    window = PostgresWindow(nowhere, nowhere, Names("r"), Budgets(), (), False)
    window._fence, window._begun, window._opening = fence, True, opening  # type: ignore[assignment]
    with pytest.raises(ZeroDivisionError), window:
        raise ZeroDivisionError
    return fence.done


@pytest.mark.parametrize("blue", [Side.LEASED, Side.SHUT])
@pytest.mark.parametrize(("opening", "green"), [(False, Side.SHUT), (True, Side.OPEN), (True, Side.LEASED)])
def test_the_exit_of_a_window_is_the_safe_way_out(blue: Side, opening: bool, green: Side) -> None:
    expected = way(Sides(blue, green, Name.BLUE), Move.UNFENCE_BLUE, {Move.SHUT_GREEN})
    assert left(opening) == list(expected)
