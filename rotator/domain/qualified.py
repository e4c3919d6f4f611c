"""Names of several parts as one text, so that no two of them ever give the same. Pure; imports nothing of ours.

Used for every key of a mapping or set, and for whatever is compared or looked up by its text. `a."b.c"` and `"a.b".c`
are two tables: a plain join with a full stop would make them one, and hide the one's difference behind the other.
"""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")


def qualified(*parts: str) -> str:
    """'database.schema.table': each part as PostgreSQL needs it quoted, so that usual names stay as they are.

    Injective: a part that is not plain is in double quotes, and double quotes in it are doubled.
    """
    return ".".join(part if _PLAIN.fullmatch(part) else quoted(part) for part in parts)


def unquoted(*parts: str) -> str:
    """As journals before quoting have them: only to look up what such a journal holds."""
    return ".".join(parts)


def quoted(part: str) -> str:
    """A name in double quotes, as SQL takes any name."""
    return '"' + part.replace('"', '""') + '"'
