"""Figures of the instrument as a player has it: its own process, a JACK server, and an observer outside."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.names import DECODERS, REPRESENTATIONS, number_of
from ...midi.messages import ALL_SOUND_OFF, NUM_CHANNELS, control_change, note_off, note_on, pitch_bend, program_change
from ...midi.spec.growth_controllers import growth_message
from ...midi.spec.path_controllers import DECODER, REPRESENTATION, path_value
from ..session.session import LiveSession
from .jack_probe import JackProbe
from .workload import RATE, LiveWorkload

AUDIBLE: Final = 1e-3  # -60 dBFS
SETTLE_S: Final = 1.0
NOTE_S: Final = 0.06
SPACING_S: Final = 0.15
STARTS: Final = 3
STEP_VOICES: Final = 8
STEP_S: Final = 2.0
MAX_STEPS_VOICES: Final = 128
TOO_HIGH_LOAD: Final = 0.9
HELD_PROGRAMS: Final = (19, 40, 48, 56, 73, 81)  # organ, violin, strings, trumpet, flute, saw lead: they last
REVERB, CHORUS = 91, 93
SWITCHED_VOICES: Final = (4, 8)
SWITCHED_DECODERS: Final = ("vocoder", "griffin-lim", "ensemble", "harmonic")
SWITCH_S: Final = 0.5
ROUNDS_OF_SWITCHES: Final = 2


def measure_latency(workload: LiveWorkload) -> dict[str, Any]:
    """Time notes written at random places of the server's periods, from the frame they are written at to the sound."""
    with LiveSession(workload.options(workload.latency_period)) as session, JackProbe() as probe:
        probe.connect_midi()
        probe.connect_audio()
        sleep(SETTLE_S)
        before = session.status()
        probe.xruns = 0
        written, onsets = time_notes(probe, workload.notes)
        status = session.status()
        latencies = 1e3 * (onsets - written) / RATE
        from_period = 1e3 * (onsets - written // probe.block_size * probe.block_size) / RATE
        heard = np.isfinite(latencies)
        measured_ms = float(np.median(from_period[heard]))
        return {
            **summary(latencies[heard]),
            "p99_minus_p1_ms": float(np.ptp(np.quantile(latencies[heard], (0.01, 0.99)))),
            "notes": workload.notes,
            "unheard": int((~heard).sum()),
            "reported_ms": status.latency_ms,
            "measured_from_period_ms": measured_ms,
            "reported_minus_measured_ms": status.latency_ms - measured_ms,
            "late_messages": status.late_messages - before.late_messages,
            "underruns": status.underruns - before.underruns,
            "server_xruns": probe.xruns,
        }


def time_notes(probe: JackProbe, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Play dry, short notes; return the frames at which they were written and first heard, NaN if never."""
    rng = np.random.default_rng(0)
    period = probe.block_size
    dry(probe)
    written = []
    with probe.capture() as blocks:
        frame = (probe.frame // period + 20) * period
        for index in range(count):
            when = frame + int(rng.integers(period))
            written.append(probe.send(note_on(0, 55 + index % 24, 100), when))
            probe.send(control_change(0, ALL_SOUND_OFF, 0), when + round(NOTE_S * RATE))
            frame += round(SPACING_S * RATE) // period * period
        while probe.frame < frame + RATE // 4:
            sleep(0.05)
    return np.array(written, np.float64), first_heard(blocks, written)


def first_heard(blocks: Sequence[tuple[int, FloatArray]], written: Sequence[int]) -> NDArray[np.float64]:
    """Return the first audible frame after each of the frames given, NaN where the next one comes sooner."""
    frames = np.concatenate([np.arange(start, start + len(block)) for start, block in blocks])
    loud = frames[np.abs(np.concatenate([block for _, block in blocks])).max(axis=1) > AUDIBLE]
    index = np.searchsorted(loud, written)
    found = np.append(loud.astype(np.float64), np.nan)[index]
    limit = np.append(written[1:], written[-1] + RATE)
    return np.where(found < limit, found, np.nan)


def dry(probe: JackProbe) -> None:
    """Take the effects' tails away, so that silence is silence."""
    for channel in range(NUM_CHANNELS):
        probe.send(control_change(channel, REVERB, 0))
        probe.send(control_change(channel, CHORUS, 0))
        probe.send(control_change(channel, ALL_SOUND_OFF, 0))
    sleep(SETTLE_S)


def measure_start(workload: LiveWorkload) -> dict[str, Any]:
    """Time starting until playable."""
    times = []
    for _ in range(STARTS):
        began = perf_counter()
        with LiveSession(workload.options(workload.latency_period)):
            times.append(perf_counter() - began)
    return {"median_s": float(np.median(times)), "max_s": max(times), "starts": STARTS}


def measure_held(workload: LiveWorkload) -> dict[str, Any]:
    """Hold notes for minutes; count underruns and the processor's time."""
    options = workload.options(workload.held_period, max_voices=max(64, workload.held_voices))
    with LiveSession(options) as session:
        hold(session, range(workload.held_voices))
        sleep(SETTLE_S)
        before, cpu = session.status(), cpu_seconds(session)
        began = monotonic()
        voices, loads = [], []
        while monotonic() - began < 60.0 * workload.held_minutes:
            sleep(0.25)
            status = session.status()
            voices.append(status.voices)
            loads.append(status.load)
        elapsed = monotonic() - began
        return {
            "minutes": elapsed / 60.0,
            "mean_voices": float(np.mean(voices)),
            "min_voices": min(voices),
            "mean_load": float(np.mean(loads)),
            "max_load": max(loads),
            "cpu_of_one_core": (cpu_seconds(session) - cpu) / elapsed,
            "underruns": status.underruns - before.underruns,
            "device_xruns": status.xruns - before.xruns,
        }


def hold(session: LiveSession, indices: range) -> None:
    """Start notes that last, on six channels."""
    for index in indices:
        channel = index % len(HELD_PROGRAMS)
        if index < len(HELD_PROGRAMS):
            session.send(program_change(channel, HELD_PROGRAMS[channel]))
        session.send(note_on(channel, 36 + index * 7 % 60, 80))
        sleep(0.013)  # so that hops of different notes do not fall together


def measure_fits(workload: LiveWorkload) -> dict[str, Any]:
    """Hold more and more notes, until producing takes too long or the sound breaks up."""
    fits, steps = 0, []
    for count in range(STEP_VOICES, MAX_STEPS_VOICES + 1, STEP_VOICES):
        tries = [_try_voices(workload, count)]
        if not tries[0]["fits"]:  # once more: the machine may have been busy with something else
            tries.append(_try_voices(workload, count))
        steps += tries
        if not tries[-1]["fits"]:
            break
        fits = count
    return {"voices": fits, "steps": steps}


def _try_voices(workload: LiveWorkload, count: int) -> dict[str, Any]:
    with LiveSession(workload.options(workload.held_period, max_voices=2 * MAX_STEPS_VOICES)) as session:
        hold(session, range(count))
        sleep(SETTLE_S)
        before, cpu, began = session.status(), cpu_seconds(session), monotonic()
        sleep(STEP_S)
        status, elapsed = session.status(), monotonic() - began
        underruns = status.underruns - before.underruns
        return {
            "voices": status.voices,
            "load": status.load,
            "cpu_of_one_core": (cpu_seconds(session) - cpu) / elapsed,
            "underruns": underruns,
            "fits": status.voices >= count and status.load <= TOO_HIGH_LOAD and not underruns,
        }


def measure_switching(workload: LiveWorkload) -> dict[str, Any]:
    """Hold notes while their channel goes through all representations, and through all decoders; count underruns."""
    kinds = {
        "representations": [(REPRESENTATION, path_value(number_of(REPRESENTATIONS, name))) for name in REPRESENTATIONS],
        "decoders": [(DECODER, path_value(number_of(DECODERS, name))) for name in SWITCHED_DECODERS],
    }
    steps = [_switch(workload, count, kind, changes) for kind, changes in kinds.items() for count in SWITCHED_VOICES]
    return {"underruns": sum(step["underruns"] for step in steps), "steps": steps}


def _switch(workload: LiveWorkload, count: int, kind: str, changes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    with LiveSession(workload.options(workload.held_period)) as session:
        session.send(program_change(0, HELD_PROGRAMS[0]))
        for index in range(count):
            session.send(note_on(0, 43 + index * 7 % 36, 80))
        sleep(SETTLE_S)
        before = session.status()
        for change in [*changes] * ROUNDS_OF_SWITCHES:
            session.send(growth_message(0, *change))
            sleep(SWITCH_S)
        status = session.status()
    return {
        "through": kind,
        "voices": count,
        "switches": len(changes) * ROUNDS_OF_SWITCHES,
        "underruns": status.underruns - before.underruns,
        "device_xruns": status.xruns - before.xruns,
    }


def measure_random(workload: LiveWorkload) -> dict[str, Any]:
    """Play at random for minutes; see whether latency drifts and memory grows."""
    samples = []
    with LiveSession(workload.options(workload.held_period)) as session, JackProbe() as probe:
        probe.connect_midi()
        probe.connect_audio()
        sleep(SETTLE_S)
        began = monotonic()
        end = began + 60.0 * workload.random_minutes
        rounds = max(2, min(10, round(workload.random_minutes)))
        events = random_playing(np.random.default_rng(1))
        for index in range(rounds + 1):
            samples.append((monotonic() - began, *_median_latency(probe), memory_mb(session)))
            if index < rounds:
                _play(probe, events, began + (end - began) * (index + 1) / rounds)
        status = session.status()
    times, latencies, memories = zip(*samples, strict=True)
    return {
        "minutes": times[-1] / 60.0,
        "latency_ms": list(latencies),
        "latency_drift_ms": latencies[-1] - latencies[0],
        "memory_mb": list(memories),
        "memory_growth_mb": memories[-1] - memories[1],
        "underruns": status.underruns,
    }


def random_playing(rng: np.random.Generator) -> Iterator[tuple[float, bytes]]:
    """Yield pauses in seconds and messages: chords, pedals, wheels, instruments, as a wild player has them."""
    sounding: list[tuple[int, int]] = []
    while True:
        channel, choice = int(rng.integers(6)), rng.random()
        pause = float(rng.exponential(0.06))
        if choice < 0.45 or not sounding:
            sounding.append((channel, int(rng.integers(36, 96))))
            yield pause, note_on(*sounding[-1], int(rng.integers(1, 128)))
        elif choice < 0.85 or len(sounding) > 24:
            yield pause, note_off(*sounding.pop(int(rng.integers(len(sounding)))))
        elif choice < 0.9:
            yield pause, pitch_bend(channel, int(rng.integers(-8192, 8192)))
        elif choice < 0.97:
            controller = int(rng.choice([1, 7, 10, 11, 64, 74]))
            yield pause, control_change(channel, controller, int(rng.integers(128)))
        else:
            yield pause, program_change(channel, int(rng.integers(128)))


def _play(probe: JackProbe, events: Iterator[tuple[float, bytes]], until: float) -> None:
    while monotonic() < until:
        pause, data = next(events)
        sleep(pause)
        probe.send(data)
    for channel in range(NUM_CHANNELS):
        for controller, value in ((64, 0), (123, 0), (121, 0), (7, 100)):
            probe.send(control_change(channel, controller, value))
        probe.send(program_change(channel, 0))
    sleep(SETTLE_S)


def _median_latency(probe: JackProbe) -> tuple[float]:
    written, onsets = time_notes(probe, 20)
    period = probe.block_size
    return (float(np.nanmedian(1e3 * (onsets - written // period * period) / RATE)),)


def summary(values_ms: NDArray[np.float64]) -> dict[str, float]:
    """Return the usual quantiles."""
    p50, p99 = np.quantile(values_ms, (0.5, 0.99))
    return {"p50_ms": float(p50), "p99_ms": float(p99), "max_ms": float(values_ms.max())}


def cpu_seconds(session: LiveSession) -> float:
    """Return the processor's time that the engine's process has used (Linux)."""
    fields = Path(f"/proc/{session.process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(session: LiveSession) -> float:
    """Return the resident memory of the engine's process (Linux)."""
    pages = int(Path(f"/proc/{session.process_id}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
