"""For all tests: temporary folders in memory, property tests that judge no speed, errors of the tool's shown whole."""

import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from rotator.domain.errors import RotatorError

IN_MEMORY, ROOM = Path("/dev/shm"), 6 << 30
"""Servers' data folders are copied hundreds of times: on some disks that takes half of the tests' time."""


def _is_roomy(folder: Path) -> bool:
    """Whether the folder holds what the tests make at once, and programs run from it."""
    if not os.access(folder, os.W_OK):
        return False
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize >= ROOM and not found.f_flag & os.ST_NOEXEC


if "TMPDIR" not in os.environ and _is_roomy(IN_MEMORY):
    os.environ["TMPDIR"] = str(IN_MEMORY)
    tempfile.tempdir = None

settings.register_profile("any-machine", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


FIRST = "test_whole_rotation.py"
"""It waits most of its time, for longer than all others take: they are done meanwhile, and give way to it."""
GIVE_WAY = 10


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file goes first; the others keep their order."""
    items.sort(key=lambda item: item.path.name != FIRST)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A worker that has other tests gives way, once and for all of them: files of the longest kind come first."""
    if item.get_closest_marker("e2e") is None and os.environ.get("PYTEST_XDIST_WORKER") and os.nice(0) < GIVE_WAY:
        os.nice(GIVE_WAY)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A traceback prints only what happened; why, and the details (Terraform's own words), are in the attributes."""
    report = yield
    error = call.excinfo.value if call.excinfo is not None else None
    if report.failed and isinstance(error, RotatorError):
        said = (f"what: {error.what}", f"why: {error.why}", f"fix: {error.fix}", *error.details)
        report.sections.append(("what the error says", "\n".join(said)))
    return report
