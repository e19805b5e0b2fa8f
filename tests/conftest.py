"""In CI every component is there, so a skipped test is a failed one; and its examples are the same each time.

New examples are looked for wherever people run the tests: a commit is not refused for an example that
was found by chance in code that it does not touch. A machine that is slow proves nothing: no example
has a deadline, and the clock of every event loop stands still while the process does.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from tests.unhurried import hurry_no_loop

SLOW = [HealthCheck.too_slow]  # it measures the machine's time, too
settings.register_profile("everywhere", deadline=None, suppress_health_check=SLOW)
settings.register_profile("ci", parent=settings.get_profile("everywhere"), derandomize=True)
settings.load_profile("ci" if os.environ.get("POSD_CI") == "1" else "everywhere")
hurry_no_loop()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A job in the background of a shell: what the tests start would inherit that it hears no Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("POSD_CI") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {item.nodeid}: {report.longrepr}"
    return report
