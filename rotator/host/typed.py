"""Commands as this user can type them. Pure.

Inside the tool, a command is written as `rotator VERB ENV --options`. Only the edge knows how the tool was started;
there, all messages go through `Typed.say`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VERBS = ("plan", "rotate", "retire", "rollback", "status", "render")
SANDBOX_VERBS = ("up", "down", "status", "env")
JOURNAL_VERBS = ("show", "verify", "pull", "push")
"""Without a target of make, as `unlock`: they are shown as the program."""
_TARGETS = ("sandbox up", "sandbox down", *VERBS)
_NAME = r"[A-Za-z0-9][\w-]*(?:\.[\w-]+)*"
_OPTIONS = re.compile(rf" --(?P<name>[a-z-]+)(?: (?P<value>{_NAME}))?")
_VARIABLES = {"confirm": "CONFIRM", "yes": "YES", "delete-snapshots": "DELETE_SNAPSHOTS"}


@dataclass(frozen=True)
class Typed:
    """`program` is what starts the tool at this user's prompt; with `make`, the Makefile's targets do.

    `env` is the env of this run: it replaces ENV, or a missing env, in a message.
    """

    program: str = "rotator"
    make: bool = False
    env: str | None = None

    def say(self, text: str) -> str:
        """The text with every command of the tool as the user can type it."""
        env = "|".join(dict.fromkeys([*([re.escape(self.env)] if self.env else []), "ENV", "local"]))
        pattern = (
            rf"(?<![\w./-])rotator (?:(?P<verb>{'|'.join(VERBS)}|unlock)|sandbox (?P<sandbox>{'|'.join(SANDBOX_VERBS)})"
            rf"|journal (?P<journal>{'|'.join(JOURNAL_VERBS)}))\b"
            rf"(?: (?P<env>{env})(?![\w-]|\.\w))?"
            rf"(?P<options>(?: --(?:(?:confirm|approve) {_NAME}|yes|no-wait|delete-snapshots|json|check)(?![\w-]))*)"
        )
        return re.sub(pattern, self._command, text)

    def deep(self, value: Any) -> Any:
        """All texts of a JSON value."""
        if isinstance(value, str):
            return self.say(value)
        if isinstance(value, Mapping):
            return {name: self.deep(item) for name, item in value.items()}
        return [self.deep(item) for item in value] if isinstance(value, list | tuple) else value

    def _command(self, found: re.Match[str]) -> str:
        below = f"journal {found['journal']}" if found["journal"] else f"sandbox {found['sandbox']}"
        verb = found["verb"] or below
        env = self.env if found["env"] in (None, "ENV") and self.env else found["env"]
        if not self.make or verb not in _TARGETS:
            return " ".join(part for part in (self.program, verb, env) if part) + found["options"]
        words = [f"make {verb.replace(' ', '-')}", f"ENV={env or 'NAME'}"]
        rest = []
        for option in _OPTIONS.finditer(found["options"]):
            variable = _VARIABLES.get(option["name"])
            if variable:
                words.append(f"{variable}={option['value'] or 1}")
            else:
                rest.append(option[0].strip())
        if rest:
            words.append(f'ARGS="{" ".join(rest)}"')
        return " ".join(words)
