"""What tests of this room are handed: real servers."""

from pg_fixture import pg

__all__ = ["pg"]
