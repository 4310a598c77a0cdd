"""Measuring live play: what `tnca-synth bench live` runs. The parts with a device are in `benchmark_device`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .jack_probe import JackServer, quiet_observation
from .workload import RATE, LiveWorkload


def measure_live(workload: LiveWorkload, progress: Callable[[str], None] = lambda name: None) -> dict[str, Any]:
    """Measure each figure; return its values by name.

    Parameters
    ----------
    workload : LiveWorkload
    progress : told each figure's name before it is measured

    Raises
    ------
    DeviceError
        If there is no JACK server and none can be started.
    """
    from . import idle as idle
    from . import storm as storm
    from . import with_device as device
    from . import without_device as offline

    timed = {
        "latency": (workload.latency_period, device.measure_latency),
        "start": (workload.latency_period, device.measure_start),
        "silent": (workload.latency_period, storm.measure_silent),
        "storm": (workload.held_period, storm.measure_storm),
        "held": (workload.held_period, device.measure_held),
        "fits": (workload.held_period, device.measure_fits),
        "switching": (workload.held_period, device.measure_switching),
        "random": (workload.held_period, device.measure_random),
    }
    results: dict[str, Any] = {}
    for name in workload.figures:
        progress(name)
        if name in timed:
            period, measure = timed[name]
            with JackServer(RATE, period), quiet_observation():
                results[name] = {"period": period, **measure(workload)}
        elif name == "idle":
            with JackServer(RATE, workload.latency_period) as server:
                results[name] = {"period": workload.latency_period, **idle.measure_idle(workload, server)}
        else:
            results[name] = (offline.measure_flood if name == "flood" else offline.measure_clicks)(workload)
    return results
