"""What holds for all tests: where a skipped test is a failure."""

import os
import signal

import pytest

# Whoever starts the tests in the background may have these ignored, which every process started here would inherit.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (getattr(signal, "SIGHUP", None), signal.SIG_DFL)):
    if number is not None and signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)


MAY_SKIP = "hardware"


def _no_skips() -> bool:
    return os.environ.get("TNCA_NO_SKIP") == "1" or os.environ.get("CI", "").lower() == "true"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn a skip into a failure, so that a missing tool cannot pass for a passing test."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and _no_skips() and not item.get_closest_marker(MAY_SKIP):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason} (skips are failures here: TNCA_NO_SKIP or CI is set)"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Do the same for a whole module that skips itself, as `pytest.importorskip` makes it."""
    report = yield
    if report.skipped and _no_skips():
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} skips itself: {report.longrepr}"
    return report
