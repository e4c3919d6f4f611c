"""Commands in messages can be typed: as the tool was started, and wherever the source writes one."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import rotator
from rotator.domain.errors import Blocked
from rotator.host.started import STARTED_BY, typed
from rotator.host.typed import JOURNAL_VERBS, SANDBOX_VERBS, VERBS, Typed
from rotator.report.errors import render_error

FIX = "Some words before it: rotator rollback shop --confirm shop"
PACKAGE = Path(rotator.__file__).parent
MAKE = Typed(".venv/bin/rotator", make=True, env="shop")
PATH = Typed(".venv/bin/rotator", env="shop")


@pytest.mark.parametrize(
    ("text", "made", "direct"),
    [
        ("rotator rollback shop", "make rollback ENV=shop", ".venv/bin/rotator rollback shop"),
        ("rotator status", "make status ENV=shop", ".venv/bin/rotator status shop"),
        ("run `rotator render ENV`", "run `make render ENV=shop`", "run `.venv/bin/rotator render shop`"),
        (
            "rotator rollback shop --confirm shop --approve fenced.",
            'make rollback ENV=shop CONFIRM=shop ARGS="--approve fenced".',
            ".venv/bin/rotator rollback shop --confirm shop --approve fenced.",
        ),
        ("rotator rotate shop --yes --no-wait", 'make rotate ENV=shop YES=1 ARGS="--no-wait"',
         ".venv/bin/rotator rotate shop --yes --no-wait"),
        ("rotator rollback shop, then rotate again", "make rollback ENV=shop, then rotate again",
         ".venv/bin/rotator rollback shop, then rotate again"),
        ("(rotator rotate shop) or back (rotator rollback shop).",
         "(make rotate ENV=shop) or back (make rollback ENV=shop).",
         "(.venv/bin/rotator rotate shop) or back (.venv/bin/rotator rollback shop)."),
        ("rotator rollback shop removes the slots", "make rollback ENV=shop removes the slots",
         ".venv/bin/rotator rollback shop removes the slots"),
        ("rotator sandbox up local", "make sandbox-up ENV=local", ".venv/bin/rotator sandbox up local"),
        ("rotator sandbox env shop", ".venv/bin/rotator sandbox env shop", ".venv/bin/rotator sandbox env shop"),
        ("another rotator works on it", "another rotator works on it", "another rotator works on it"),
        ("/opt/rotator status x", "/opt/rotator status x", "/opt/rotator status x"),
        ("the role rotator-status", "the role rotator-status", "the role rotator-status"),
    ],
)  # fmt: skip
def test_as_the_tool_was_started(text: str, made: str, direct: str) -> None:
    assert MAKE.say(text) == made
    assert PATH.say(text) == direct
    assert Typed(env="shop").say(text).replace("rotator status shop", "rotator status").replace(
        "render shop", "render ENV"
    ) == text.replace("rotator status shop", "rotator status")


@pytest.mark.parametrize("env", ["shop", "a.b", "rotate", "e-1", "x+y"])
def test_any_name_of_an_env(env: str) -> None:
    said = Typed("r", make=True, env=env).say(f"rotator rotate {env}. Or: rotator rollback {env} --confirm {env}")
    assert said.startswith(f"make rotate ENV={env}. Or: make rollback ENV={env} CONFIRM=")


def test_json_is_told_the_same() -> None:
    assert MAKE.deep({"next": "rotator retire shop", "notes": ["rotator plan shop"], "n": 3, "none": None}) == {
        "next": "make retire ENV=shop", "notes": ["make plan ENV=shop"], "n": 3, "none": None,
    }  # fmt: skip


def test_an_error_is_wrapped_after_its_commands_are_written_out() -> None:
    error = Blocked("No.", fix=FIX, details=("rotator plan shop",))
    text = render_error(error, MAKE.say)
    assert "make rollback ENV=shop CONFIRM=shop" in " ".join(text.split())
    assert "rotator" not in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("started", [MAKE, PATH])
def test_what_make_has_no_target_for_is_shown_as_the_program(started: Typed) -> None:
    assert started.say("rotator journal push ENV") == ".venv/bin/rotator journal push shop"
    assert started.say("(rotator unlock)") == "(.venv/bin/rotator unlock shop)"


def test_how_it_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / ".venv" / "bin" / "rotator"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    off, on = {"PATH": "/nowhere"}, {"PATH": str(script.parent)}
    assert typed("shop", [".venv/bin/rotator"], off) == Typed(".venv/bin/rotator", env="shop")
    assert typed("shop", [str(script)], off).program == ".venv/bin/rotator"
    assert typed("shop", [str(script)], on).program == "rotator"
    assert typed("shop", [str(script)], {**off, STARTED_BY: "make"}).make
    monkeypatch.chdir(script.parent)
    assert typed("shop", ["rotator"], off).program == "./rotator"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert typed("shop", [str(script)], off).program == str(script)
    assert typed("shop", ["-c"], off).program in {f"{Path(sys.executable).parent}/rotator", "rotator"}


def test_every_command_in_the_source_is_one_that_can_be_typed() -> None:
    """A word after `rotator` that is no verb would slip through untranslated."""
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for found in re.finditer(r"(?:`|: |\(|, or |fix=f?\")rotator ([a-z-]+)(?: ([a-z]+))?", line):
                verb, second = found.groups()
                known = {"sandbox": SANDBOX_VERBS, "journal": JOURNAL_VERBS}.get(verb, ())
                if verb not in (*VERBS, "unlock") and second not in known:
                    wrong.append(f"{path.name}:{number}: {line.strip()}")
    assert not [line for line in wrong if "rotator sandbox up | status" not in line]


def test_the_makefile_has_a_target_for_every_verb_and_says_who_started() -> None:
    makefile = (PACKAGE.parent / "Makefile").read_text()
    assert f"{STARTED_BY}=make $(BIN)/rotator" in makefile
    for target in (*VERBS, "sandbox-up", "sandbox-down"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
