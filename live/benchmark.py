"""Measuring live play: what `tnca-synth bench live` runs. The parts with a device are in `benchmark_device`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ..errors import UsageError
from .jack_probe import JackServer, quiet_observation
from .state import LiveOptions

FIGURES: Final = (
    "latency",
    "start",
    "silent",
    "held",
    "fits",
    "switching",
    "random",
    "idle",
    "storm",
    "flood",
    "clicks",
)
RATE: Final = 48000


@dataclass(frozen=True)
class LiveWorkload:
    """What is measured, and for how long.

    Attributes
    ----------
    figures : of `FIGURES`
    latency_period, held_period : frames per period of the JACK server
    notes : timed for the latency
    held_voices, held_minutes : of the test of endurance
    random_minutes : of random playing
    messages : of the flood
    idle_s : for which a session does nothing, and the server's clients are watched
    silent_seconds : for which a session does nothing
    storm_seconds : for which 100,000 messages a second arrive
    """

    figures: tuple[str, ...] = FIGURES
    latency_period: int = 128
    held_period: int = 256
    notes: int = 200
    held_voices: int = 32
    held_minutes: float = 10.0
    random_minutes: float = 30.0
    messages: int = 1_000_000
    idle_s: float = 60.0
    silent_seconds: float = 20.0
    storm_seconds: float = 6.0
    representation: str | None = None
    decoder: str | None = None
    bank_path: Path | None = None

    def __post_init__(self) -> None:
        """Check the names."""
        unknown = sorted(set(self.figures) - set(FIGURES))
        if unknown:
            raise UsageError(f"unknown figure {unknown[0]!r}: expected some of {', '.join(FIGURES)}")

    def options(self, period: int, **more: Any) -> LiveOptions:
        """Return the options of the instrument under test."""
        options = LiveOptions(
            block_size=period,
            host_api="JACK",
            representation=self.representation,
            decoder=self.decoder,
            bank_path=self.bank_path,
        )
        return replace(options, **more)


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
    from . import benchmark_device as device
    from . import benchmark_idle as idle
    from . import benchmark_offline as offline
    from . import benchmark_storm as storm

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
