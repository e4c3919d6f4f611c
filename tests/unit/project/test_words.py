"""What must not be in the tree: paths of somebody's machine, addresses of somebody's package index."""

import re
import subprocess

import pytest
from import_graph import ROOT

# Put together here, so that this file does not find itself.
MACHINE_PATHS = re.compile(r"(?<![\w.-])/(?:" + "|".join(("work", "root", "farm", "Users")) + ")/")
INDEX_ADDRESSES = re.compile("--(?:extra-)?" + "index-url|--find-" + "links|--trusted-" + "host|^-i ", re.MULTILINE)


def tracked() -> list[str]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def found(pattern: re.Pattern[str], names: list[str]) -> list[str]:
    hits = []
    for name in names:
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        hits += [f"{name}: {match.group()}" for match in pattern.finditer(text)]
    return hits


def test_no_path_of_a_machine() -> None:
    assert found(MACHINE_PATHS, tracked()) == []


def test_locks_name_no_index() -> None:
    locks = [name for name in tracked() if name.startswith("requirements/")]
    assert locks
    assert found(INDEX_ADDRESSES, locks) == []


@pytest.mark.parametrize("text", ["/" + "work" + "/main", "see /" + "root" + "/.ssh"])
def test_the_pattern_finds_what_it_looks_for(text: str) -> None:
    assert MACHINE_PATHS.search(text)
