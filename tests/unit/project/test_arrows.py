"""docs/architecture.md, "Arrows": who may import whom, and which room holds which SDK."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pytest
from import_graph import PACKAGE, Graph, imports_of, is_in, read_graph

GRAPH = read_graph()

VERBS = ("rotator.cli", "rotator.cli_journal", "rotator.cli_sandbox")
SDK_HOMES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("boto3", "botocore"): ("rotator.aws", "rotator.sandbox"),
    ("psycopg",): ("rotator.database", "rotator.sandbox"),
    ("dns",): ("rotator.network",),
    ("dnslib", "moto", "flask", "werkzeug"): ("rotator.sandbox",),
    ("python_terraform",): ("rotator.terraform",),
    ("subprocess",): ("rotator.terraform", "rotator.sandbox"),
    ("jinja2",): ("rotator.terraform",),
    ("typer", "click"): (
        "rotator.cli",
        "rotator.cli_journal",
        "rotator.cli_sandbox",
        "rotator.commands",
        "rotator.boundary",
    ),
    ("rich",): (*VERBS, "rotator.commands", "rotator.boundary", "rotator.report"),
}
SDKS = tuple(sorted({sdk for sdks in SDK_HOMES for sdk in sdks}))
SANDBOX_VERBS = ("rotator.sandbox", "rotator.cli_sandbox", "rotator.commands.sandbox")
IO_MODULES = ("os", "pathlib", "subprocess", "socket", "shutil", "tempfile", "io", "urllib", "http", "time", "logging")
PURE = (
    "rotator.rotation.decide",
    "rotator.rotation.safety",
    "rotator.terraform.plan",
    "rotator.terraform.policy",
    "rotator.report.live.board",
    "rotator.report.errors",
    "rotator.report.plan",
    "rotator.report.status",
    "rotator.report.summary",
    "rotator.report.text",
    "rotator.domain.root_edits",
    "rotator.domain.naming",
    "rotator.domain.qualified",
)
STEPS = tuple(sorted(module for module in GRAPH.imports if is_in(module, ("rotator.rotation.steps",))))


@pytest.mark.parametrize("sdks", SDK_HOMES, ids="+".join)
def test_one_sdk_one_room(sdks: tuple[str, ...]) -> None:
    assert not GRAPH.breaches(sdks, SDK_HOMES[sdks])


@pytest.mark.parametrize("module", sorted(m for m in GRAPH.imports if is_in(m, ("rotator.domain",))))
def test_nouns_and_errors_import_nothing_of_ours(module: str) -> None:
    ours = {name for name in GRAPH.imports[module] if is_in(name, ("rotator",))}
    assert all(is_in(name, ("rotator.domain",)) or name == "rotator" for name in ours)


@pytest.mark.parametrize("module", STEPS)
def test_steps_reach_no_sdk_however_far_one_follows(module: str) -> None:
    assert not [name for name in GRAPH.reach(module) if is_in(name, SDKS)]


@pytest.mark.parametrize("module", ["rotator.rotation.engine", "rotator.rotation.decide", "rotator.journal.document"])
def test_the_engine_reaches_no_sdk(module: str) -> None:
    assert not [name for name in GRAPH.reach(module) if is_in(name, SDKS)]


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_import_no_io(module: str) -> None:
    assert not [name for name in GRAPH.imports[module] if is_in(name, IO_MODULES)]


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_open_no_file(module: str) -> None:
    path = PACKAGE.parent / (module.replace(".", "/") + ".py")
    assert "open(" not in path.read_text()


def test_the_sandbox_is_known_to_its_verbs_alone() -> None:
    assert not GRAPH.breaches(("rotator.sandbox",), SANDBOX_VERBS)


def test_nothing_imports_the_command_line() -> None:
    assert not GRAPH.breaches(VERBS, VERBS)


@pytest.mark.parametrize("room", ["aws", "config", "database", "domain", "host", "network", "report", "terraform"])
def test_rooms_do_not_know_steps_workflow_or_wiring(room: str) -> None:
    inside = {module for module in GRAPH.imports if is_in(module, (f"rotator.{room}",))}
    upward = ("rotator.rotation", "rotator.journal", "rotator.wiring", "rotator.commands", "rotator.cli")
    assert inside
    assert not [(m, name) for m in inside for name in GRAPH.imports[m] if is_in(name, upward)]


def test_every_module_that_these_rules_name_exists() -> None:
    assert not [module for module in PURE if module not in GRAPH.imports]


BELOW: dict[str, set[str]] = {
    "domain": set(),
    "host": {"domain"},
    "config": {"domain", "host"},
    "network": {"domain"},
    "report": {"domain"},
    "aws": {"config", "domain"},
    "database": {"domain", "network"},
    "terraform": {"config", "domain", "host"},
    "journal": {"domain", "host"},
    "topology": {"aws", "domain"},
    "rotation": {"aws", "config", "database", "domain", "journal", "network", "report", "topology"},
    "commands": {
        "aws",
        "config",
        "database",
        "domain",
        "host",
        "journal",
        "network",
        "report",
        "rotation",
        "terraform",
        "topology",
    },
    "sandbox": {"aws", "config", "database", "domain", "host", "network"},
}
"""Room -> the rooms that it may import: each is listed after those, so no arrow points back up."""


def rooms(graph: Graph) -> dict[str, set[str]]:
    """Room -> rooms that its modules import; the modules beside the rooms are no room."""
    found: dict[str, set[str]] = {}
    for module, names in graph.imports.items():
        here = module.split(".")[1:2]
        ours = {name.split(".")[1] for name in names if is_in(name, ("rotator",)) and "." in name}
        found.setdefault(here[0] if here else "", set()).update(ours & set(BELOW) - set(here))
    return {room: found[room] for room in BELOW}


def test_arrows_between_rooms_point_down() -> None:
    order = list(BELOW)
    assert all(order.index(below) < order.index(room) for room, names in BELOW.items() for below in names)
    assert {room: names - BELOW[room] for room, names in rooms(GRAPH).items() if names - BELOW[room]} == {}


def test_every_room_has_its_place() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(BELOW)


def test_no_module_imports_itself_in_a_round() -> None:
    inside = {module: names & GRAPH.imports.keys() - {module} for module, names in GRAPH.imports.items()}
    assert tuple(TopologicalSorter(inside).static_order())


def test_an_arrow_back_up_is_found() -> None:
    graph = Graph(
        {**{f"rotator.{room}": frozenset() for room in BELOW}, "rotator.aws.x": frozenset({"rotator.rotation.y"})}
    )
    assert rooms(graph)["aws"] == {"rotation"}


# The rules themselves, on a package in which each of them is broken.


def test_a_breach_is_found_wherever_the_import_stands() -> None:
    source = "def f():\n    from boto3.session import Session\nimport subprocess as s\n"
    assert imports_of(source, "rotator.rotation.steps.x") == {"boto3.session", "subprocess"}
    graph = Graph({"rotator.rotation.steps.x": imports_of(source, "rotator.rotation.steps.x")})
    assert graph.breaches(("boto3",), ("rotator.aws",)) == {"rotator.rotation.steps.x"}
    assert not graph.breaches(("boto3",), ("rotator.rotation.steps",))


def test_relative_imports_and_submodules_are_seen() -> None:
    known = frozenset({"rotator.aws.rds"})
    assert "rotator.aws.rds" in imports_of("from ..aws import rds", "rotator.steps.x", known)
    assert "rotator.aws.rds" in imports_of("from rotator.aws import rds", "rotator.rotation.steps.x", known)
    assert "rotator.rotation.steps.base" in imports_of("from .base import Step", "rotator.rotation.steps.x")


def test_reach_follows_imports_and_the_packages_around_them() -> None:
    graph = Graph(
        {
            "rotator.rotation.steps.x": frozenset({"rotator.aws.parity"}),
            "rotator.aws.parity": frozenset({"json"}),
            "rotator.aws": frozenset({"boto3"}),
        }
    )
    assert "boto3" in graph.reach("rotator.rotation.steps.x")


def test_names_that_only_begin_alike_are_not_meant() -> None:
    assert not is_in("dnslib", ("dns",))
    assert is_in("dns.resolver", ("dns",))
