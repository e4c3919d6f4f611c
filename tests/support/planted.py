"""Values that no artefact may hold, put where a rotation meets them, and a search that knows what they may look like.

Only letters and digits: what JSON, URLs, SQL and shells escape leaves them as they are. What else they may be written
as, is in `forms`.
"""

from __future__ import annotations

import base64
import secrets
import string
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

ALPHABET = string.ascii_letters + string.digits
LENGTH = 20
ROWS = 2000
HELD_SECONDS = 8


def value() -> str:
    """One that is nowhere by chance."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def forms(text: str) -> frozenset[bytes]:
    """The value as bytes: as it is, as UTF-16, in hexadecimal, in base64 at each of its three places."""
    raw = text.encode()
    written = {raw, text.encode("utf-16-le"), raw.hex().encode(), raw.hex().upper().encode()}
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # The first and last characters of a group depend on what stands beside the value.
            written.add(encode(b"\0" * shift + raw)[4 * (shift > 0) : (shift + len(raw)) // 3 * 4])
    return frozenset(written)


@dataclass
class Planted:
    """What it is ("row", "key", "statement", ...) -> its values; how often rows changed, and sessions were cut off."""

    values: dict[str, list[str]] = field(default_factory=dict)
    changed: int = 0
    cut_off: int = 0

    def one(self, what: str) -> str:
        """A new value of this kind."""
        made = value()
        self.values.setdefault(what, []).append(made)
        return made

    def found_in(self, blob: bytes) -> frozenset[str]:
        """What of it stands there."""
        return frozenset(
            what for what, values in self.values.items() if any(form in blob for each in values for form in forms(each))
        )


def blobs(file: Path) -> Iterator[bytes]:
    """A file's bytes, and those of the files in it: Terraform's plans are archives."""
    yield file.read_bytes()
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            yield from (archive.read(name) for name in archive.namelist())


@contextmanager
def planted_in(conninfo: str, planted: Planted) -> Iterator[None]:
    """Rows, keys, a role's password, the statement of a session that never ends: in a table that changes until the
    fence.
    """
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("create table planted (id text primary key, note text)")
        keys = [planted.one("key") for _ in range(50)]
        with connection.cursor().copy("copy planted from stdin") as copy:
            for key in keys:
                copy.write_row((key, planted.one("row")))
            for number in range(ROWS):
                copy.write_row((f"k{number}", "an ordinary row"))
        role = sql.SQL("create role planted_app login password {}")
        connection.execute(role.format(planted.one("password of a role")))
    ended = threading.Event()
    threads = [
        threading.Thread(target=_change, args=(conninfo, keys, planted, ended)),
        *(threading.Thread(target=_hold, args=(conninfo, planted, ended, late)) for late in (0.0, HELD_SECONDS / 2)),
    ]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        ended.set()
        for each in threads:
            each.join()


def _change(conninfo: str, keys: list[str], planted: Planted, ended: threading.Event) -> None:
    """Change rows, and so keep their keys in flux, for as long as the database takes it."""
    values = [planted.one("row") for _ in range(50)]
    while not ended.wait(0.5):
        try:
            with psycopg.connect(conninfo, autocommit=True) as connection:
                while not ended.wait(0.2):
                    number = planted.changed
                    change = (values[number % 50], keys[number * 7 % 50])
                    connection.execute("update planted set note = %s where id = %s", change)
                    planted.changed += 1
        except psycopg.Error:
            continue  # fenced, or gone with blue


def _hold(conninfo: str, planted: Planted, ended: threading.Event, late: float) -> None:
    """Transactions of some seconds, with a value in their statement: the window finds one open, and cuts it off.

    (One without an end would keep the rotation from its first step.) Two by turns, the second `late` by seconds: with
    one alone the window could find the calm moment between two transactions.
    """
    held, key = planted.one("statement"), f"k{1 + bool(late)}"
    ended.wait(late)
    while not ended.wait(0.5):
        try:
            with psycopg.connect(conninfo) as connection:
                connection.execute(f"/* {held} */ update planted set note = note where id = '{key}'")  # type: ignore[arg-type]
                _until_cut_off(connection, planted, ended)
        except psycopg.Error:
            continue  # fenced, or gone with blue


def _until_cut_off(connection: psycopg.Connection[Any], planted: Planted, ended: threading.Event) -> None:
    try:
        for _ in range(HELD_SECONDS):
            if ended.wait(1.0):
                return
            connection.execute("select 1")
    except psycopg.Error:
        planted.cut_off += 1
