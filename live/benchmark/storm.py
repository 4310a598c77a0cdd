"""Figures of a session that does nothing, and of one that is sent far more than can be played."""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final, NamedTuple

import numpy as np

from ...midi.messages import ALL_SOUND_OFF, NUM_CHANNELS, control_change, is_complete, note_on
from ..session.session import LiveSession
from .jack_probe import JackProbe
from .with_device import AUDIBLE, SETTLE_S, cpu_seconds, dry
from .without_device import random_messages
from .workload import RATE, LiveWorkload

STORM_HZ: Final = 100_000
STORM_KINDS: Final = 20_000
BATCH_S: Final = 0.05
CALM_SHARE: Final = 0.5
"""Of the wakings of a period; threads that wake more often belong to the audio system."""
LOOK_S: Final = 0.05
LONGEST_S: Final = 60.0
BUSY_OF_ONE_CORE: Final = 0.5


class _Thread(NamedTuple):
    """What a thread has used so far."""

    cpu_s: float
    wakings: int


def measure_silent(workload: LiveWorkload) -> dict[str, Any]:
    """Let a session do nothing; tell the processor's time of the engine, and which part of it is the engine's own.

    The rest belongs to the threads that the audio system wakes in every period.
    """
    with LiveSession(workload.options(workload.latency_period)) as session:
        sleep(2.0 * SETTLE_S)
        status, before, began = session.status(), _threads(session), monotonic()
        while monotonic() - began < workload.silent_seconds:
            sleep(0.25)
            session.status()
        after, elapsed = _threads(session), monotonic() - began
        periods = CALM_SHARE * elapsed * RATE / workload.latency_period
        used = {name: _since(before.get(name), thread) for name, thread in after.items()}
        return {
            "seconds": elapsed,
            "cpu_of_one_core": sum(one.cpu_s for one in used.values()) / elapsed,
            "own_of_one_core": sum(one.cpu_s for one in used.values() if one.wakings < periods) / elapsed,
            "underruns": session.status().underruns - status.underruns,
        }


def _threads(session: LiveSession) -> dict[str, _Thread]:
    """Return what the threads of the engine's process have used, by their numbers (Linux)."""
    found = {}
    for folder in Path(f"/proc/{session.process_id}/task").iterdir():
        lines = (folder / "status").read_text().splitlines()
        wakings = next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))
        found[folder.name] = _Thread(int((folder / "schedstat").read_text().split()[0]) / 1e9, wakings)
    return found


def _since(before: _Thread | None, now: _Thread) -> _Thread:
    return now if before is None else _Thread(now.cpu_s - before.cpu_s, now.wakings - before.wakings)


def measure_storm(workload: LiveWorkload) -> dict[str, Any]:
    """Send 100,000 messages a second; tell how long it takes afterwards until all is as it was.

    That is: all voices may sound, nothing breaks up any more, the processor has its time back, and a note is heard
    after the promised latency.
    """
    options = workload.options(workload.held_period)
    with LiveSession(options) as session, JackProbe() as probe:
        probe.connect_midi()
        probe.connect_audio()
        sleep(SETTLE_S)
        sent = _storm(session, probe, workload.storm_seconds)
        ended = monotonic()
        for channel in range(NUM_CHANNELS):
            session.send(control_change(channel, ALL_SOUND_OFF, 0))
        calm_s = _calm_after(session, ended, options.max_voices)
        status = session.status()
        dry(probe)
        heard_ms = _heard_after_ms(probe)
        return {
            "messages": sent,
            "seconds": workload.storm_seconds,
            "normal_after_s": calm_s,
            "left_out": status.left_out_messages,
            "underruns": status.underruns,
            "voices_allowed": status.max_voices,
            "model_errors": status.model_errors,
            "note_heard_after_ms": heard_ms,
            "promised_ms": status.latency_ms,
        }


def _storm(session: LiveSession, probe: JackProbe, duration_s: float) -> int:
    """Let `STORM_HZ` messages a second arrive at the MIDI port; return how many."""
    messages = cycle([data for data in random_messages(np.random.default_rng(2), STORM_KINDS) if is_complete(data)])
    first, count = probe.frame + RATE // 10, round(STORM_HZ * duration_s)
    batch = round(STORM_HZ * BATCH_S)
    for start in range(0, count, batch):
        for index, data in enumerate(islice(messages, min(batch, count - start)), start):
            probe.send(data, first + index * RATE // STORM_HZ)
        while probe.frame < first + (start - batch) * RATE // STORM_HZ:
            session.status()
            sleep(BATCH_S / 4)
    while probe.frame < first + count * RATE // STORM_HZ:
        session.status()
        sleep(BATCH_S / 4)
    return count


def _calm_after(session: LiveSession, ended: float, max_voices: int) -> float | None:
    """Return when all was normal for the first time and stayed so for a second; None if never."""
    calm_since, cpu, underruns, looked = None, cpu_seconds(session), -1, monotonic()
    while monotonic() - ended < LONGEST_S:
        sleep(LOOK_S)
        status, now, used = session.status(), monotonic(), cpu_seconds(session)
        is_calm = (
            status.max_voices == max_voices
            and status.underruns == underruns
            and (used - cpu) / (now - looked) < BUSY_OF_ONE_CORE
        )
        calm_since = (now if calm_since is None else calm_since) if is_calm else None
        if calm_since is not None and now - calm_since > SETTLE_S:
            return calm_since - ended
        cpu, underruns, looked = used, status.underruns, now
    return None


def _heard_after_ms(probe: JackProbe) -> float | None:
    """Return how long after it is written a note is heard, None if it is not within a second."""
    with probe.capture() as blocks:
        written = probe.send(note_on(0, 60, 100), probe.frame + RATE // 10)
        while probe.frame < written + RATE:
            sleep(0.05)
    for start, block in blocks:
        loud = np.flatnonzero(np.abs(block).max(axis=1) > AUDIBLE) + start
        if (after := loud[loud >= written]).size:
            return 1e3 * float(after[0] - written) / RATE
    return None
