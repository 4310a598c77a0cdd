"""Plays a job in one host, in a process of its own: `play.py HOST JOB.json RESULT.npz`.

A job is an object: `plugin` (the bundle), `rate`, `block`, `frames`, `events` ([frame, hexadecimal bytes]), and
optionally `parameters` (name to normalised value), `offline`, `blocks` (lengths of blocks that are gone through again
and again), `repeat` (play it twice, with a reset between; the second is the result).
The result holds `audio` (2, frames), `latency`, `load_s`, and what else a host tells.
"""

import json
import sys
import time
from itertools import cycle

import numpy as np


def blocks_of(job):
    """Give (first frame, length) of each block."""
    lengths = cycle(job.get("blocks") or [job["block"]])
    frame = 0
    while frame < job["frames"]:
        length = min(next(lengths), job["frames"] - frame)
        yield frame, length
        frame += length


def events_in(job, begin, end):
    """Give the events of a block, their frames counted from its beginning."""
    return [(frame - begin, bytes.fromhex(data)) for frame, data in job["events"] if begin <= frame < end]


def minihost(job):
    """Play in minihost: VST3 and LV2."""
    import minihost as host

    started = time.perf_counter()
    plugin = host.Plugin(job["plugin"], job["rate"], job["block"], 0, 2)
    load_s = time.perf_counter() - started
    plugin.non_realtime = job.get("offline", True)
    for name, value in job.get("parameters", {}).items():
        plugin.set_param_by_name(name, value)
    for _ in range(2 if job.get("repeat") else 1):
        plugin.reset()
        audio = np.zeros((2, job["frames"]), np.float32)
        for begin, length in blocks_of(job):
            out = np.full((2, length), 9.0, np.float32)
            midi = [(frame, *data, *[0] * (3 - len(data))) for frame, data in events_in(job, begin, begin + length)]
            plugin.process_midi(np.zeros((0, length), np.float32), out, midi)
            audio[:, begin : begin + length] = out
    return {"audio": audio, "latency": plugin.latency_samples, "load_s": load_s, "state": plugin.get_state()}


def pedalboard(job):
    """Play in pedalboard: VST3."""
    import pedalboard as host

    started = time.perf_counter()
    plugin = host.load_plugin(job["plugin"])
    load_s = time.perf_counter() - started
    for name, value in job.get("parameters", {}).items():
        key = next(key for key, one in plugin.parameters.items() if one.name == name)
        plugin.parameters[key].raw_value = value
    rate = job["rate"]
    # Times come as seconds, which the host cuts to frames: half a frame more is the same frame. It refuses many
    # messages of one time, and so each has a little more than the one before.
    midi = [
        (bytes.fromhex(data), (frame + 0.25 + 0.5 * number / len(job["events"])) / rate)
        for number, (frame, data) in enumerate(job["events"])
    ]
    audio = plugin(midi, duration=job["frames"] / rate, sample_rate=rate, buffer_size=job["block"], reset=True)
    return {"audio": audio, "latency": plugin.reported_latency_samples, "load_s": load_s}


def dawdreamer(job):
    """Play in DawDreamer: VST3. It reads notes from a MIDI file."""
    import dawdreamer as host

    engine = host.RenderEngine(job["rate"], job["block"])
    started = time.perf_counter()
    plugin = engine.make_plugin_processor("synth", job["plugin"])
    load_s = time.perf_counter() - started
    plugin.load_midi(job["file"], all_events=True)
    engine.load_graph([(plugin, [])])
    engine.render(job["frames"] / job["rate"])
    return {"audio": engine.get_audio(), "latency": plugin.get_latency_samples(), "load_s": load_s}


HOSTS = {"minihost": minihost, "pedalboard": pedalboard, "dawdreamer": dawdreamer}

if __name__ == "__main__":
    name, job_file, result_file = sys.argv[1:]
    with open(job_file) as file:
        result = HOSTS[name](json.load(file))
    np.savez(result_file, **result)
