"""What holds for all tests: where a skipped test is a failure."""

import os
import signal
from pathlib import Path

import pytest

# Whoever starts the tests in the background may have these ignored, which every process started here would inherit.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (getattr(signal, "SIGHUP", None), signal.SIG_DFL)):
    if number is not None and signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)


# What lies in the folder of whoever runs the tests must change nothing.
os.environ["TNCA_SYNTH_INSTRUMENTS"] = os.path.join(os.path.dirname(__file__), "no-instruments")

MAY_SKIP = "hardware"

# JACK keeps a list of eight servers, in which those that were killed stay: then no further one starts. Where none runs,
# the list can go. This must be before any test loads JACK's library, which keeps it open.
JACK_SERVERS = Path("/dev/shm/jack-shm-registry")


def _runs(program: str) -> bool:
    names = (path / "comm" for path in Path("/proc").glob("[0-9]*"))
    for name in names:
        try:
            if name.read_text().startswith(program):
                return True
        except OSError:  # it has ended meanwhile
            continue
    return False


def pytest_configure() -> None:
    """Forget the JACK servers that were killed."""
    if JACK_SERVERS.exists() and os.access(JACK_SERVERS, os.W_OK) and not _runs("jackd"):
        JACK_SERVERS.unlink()


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
