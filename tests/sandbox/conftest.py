"""What tests of this room are handed: real servers and a real root."""

from pg_fixture import pg
from root_fixture import root

__all__ = ["pg", "root"]
