"""What a session costs a JACK server while nothing is played: how often the server waits for one of its clients."""

from __future__ import annotations

from time import sleep
from typing import Any, Final

from ..session.session import LiveSession
from .jack_probe import JackServer
from .workload import LiveWorkload

SETTLE_S: Final = 2.0


def measure_idle(workload: LiveWorkload, server: JackServer) -> dict[str, Any]:
    """Play nothing; count the periods that the server put down to each client of ours, and the device's xruns."""
    with LiveSession(workload.options(workload.latency_period)) as session:
        sleep(SETTLE_S)
        late, before = server.late_clients(), session.status()
        sleep(workload.idle_s)
        status = session.status()
        late = server.late_clients() - late
        return {
            "seconds": workload.idle_s,
            "late": sum(late.values()),
            "late_clients": dict(late),
            "underruns": status.underruns - before.underruns,
            "device_xruns": status.xruns - before.xruns,
        }
