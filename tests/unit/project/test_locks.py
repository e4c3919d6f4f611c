"""The lock files fit pyproject.toml: every requirement is pinned within its range, every pin has its hashes."""

import re
import tomllib

import pytest
from import_graph import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
WANTED = [*PROJECT["dependencies"], *EXTRAS["sandbox"], *EXTRAS["dev"]]
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?P<rest>.*(?:\n[ \t]+.*)*)", re.MULTILINE)


def pins(name: str) -> dict[str, tuple[Version, int]]:
    """Package -> (version, number of hashes)."""
    text = (ROOT / "requirements" / name).read_text()
    return {
        canonicalize_name(m["name"]): (Version(m["version"]), m["rest"].count("sha256:")) for m in PIN.finditer(text)
    }


@pytest.mark.parametrize("text", WANTED)
def test_every_requirement_is_pinned_in_its_range(text: str) -> None:
    wanted = Requirement(text)
    version, _ = pins("dev.txt")[canonicalize_name(wanted.name)]
    assert wanted.specifier.contains(version), 'run "make lock"'


@pytest.mark.parametrize(
    ("name", "least"),
    [("dev.txt", 4), ("postgres.txt", 1), ("postgres-plain.txt", 4), ("bench.txt", 4), ("build.txt", 4)],
)
def test_every_pin_has_hashes(name: str, least: int) -> None:
    held = pins(name)
    assert len(held) >= least
    assert not [package for package, (_, hashes) in held.items() if hashes == 0]


def test_nothing_is_installed_without_a_hash_or_built_by_what_has_none() -> None:
    """pip's isolated builds fetch their builder by name alone."""
    files = [ROOT / "Makefile", *(path for path in (ROOT / "scripts").iterdir() if path.is_file())]
    lines = [
        line for path in files for line in re.sub(r"\\\n\s*", "", path.read_text()).splitlines() if line[:1] != "#"
    ]
    pips = [line for line in lines if "pip install" in line]
    assert len(pips) == 3
    assert not [line for line in pips if "--no-build-isolation" not in line and "--only-binary :all:" not in line]
    locked = [line for line in lines if re.search(r"-r (requirements/|\"\$1)", line)]
    assert len(locked) == 4
    assert not [line for line in locked if "--require-hashes" not in line or "--only-binary :all:" not in line]


def test_all_locks_agree() -> None:
    dev, others = pins("dev.txt"), pins("postgres.txt") | pins("postgres-plain.txt") | pins("build.txt")
    both = dev.keys() & others.keys()
    assert {name: dev[name][0] for name in both} == {name: others[name][0] for name in both}
