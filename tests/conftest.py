"""For all tests: property tests judge values, never this machine's speed; an error of the tool's is shown whole."""

from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from rotator.domain.errors import RotatorError

settings.register_profile("any-machine", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


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
