"""Learn instruments that the foundation never heard, and compare them with a sampler that has the same notes.

python benchmarks/learn.py [--speed fit] [--programs 26 66 ...] [--notes 24 8 1] [--json learn.json]

Notes are rendered from a SoundFont and learned from WAV files, as a user's are. What is judged are keys that were not
recorded, at velocities that were not, at 48 kHz: full band, and both low-passed where the foundation's band ends.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.training.learning.figures import Player, nearest_recording, sampled
from tnca_synth.training.learning.foundation import Foundation, open_foundation
from tnca_synth.training.learning.learn import learn
from tnca_synth.training.learning.outcome import Learned
from tnca_synth.training.measure.hearing import HEARING_RATE, hearing_distance
from tnca_synth.training.measure.recording import Recording
from tnca_synth.training.sources.soundfont import SoundFont

FONT = "/usr/share/sounds/sf3/FluidR3Mono_GM.sf3"
PROGRAMS = {
    105: ("banjo", 48, 84), 15: ("dulcimer", 48, 88), 41: ("viola", 48, 84), 66: ("tenor-sax", 44, 76),
    74: ("recorder", 60, 96), 69: ("english-horn", 52, 81), 20: ("reed-organ", 36, 84), 50: ("synth-strings-1", 36, 84),
    114: ("steel-drums", 52, 88), 54: ("synth-voice", 43, 79), 79: ("ocarina", 60, 91), 12: ("marimba", 48, 96),
    25: ("steel-guitar", 40, 84),
}  # fmt: skip
"""Programs that the networks of the shipped banks never heard, and the keys that are played."""
LAYERS = {24: (48, 112), 8: (100,), 1: (100,)}
JUDGED_KEYS, JUDGED_VELOCITIES = 6, (64, 80)
HELD_S, TAIL_S = 1.5, 0.8
RECORDED_S, RECORDED_TAIL_S = 2.5, 1.0
LOW_PASS_HZ = 10_500.0


@dataclass(frozen=True)
class Row:
    """One note, judged."""

    program: int
    name: str
    notes: int
    key: int
    velocity: int
    grown: float
    sampler: float
    grown_low: float
    sampler_low: float


def recorded_keys(low: int, high: int, count: int) -> list[int]:
    """Return keys to record, spread over a range."""
    if count == 1:
        return [(low + high) // 2]
    return [int(key) for key in np.unique(np.round(np.linspace(low, high, count)).astype(int))]


def record(font: SoundFont, program: int, keys: list[int], velocities: tuple[int, ...]) -> list[Recording]:
    """Return notes as a sampler has them."""
    return [
        Recording(font.render(program, key, velocity, RECORDED_S, RECORDED_TAIL_S, False), "x", key, velocity, 2.5)
        for key in keys
        for velocity in velocities
    ]


def low_passed(audio: FloatArray) -> FloatArray:
    """Return what is below `LOW_PASS_HZ`."""
    narrow = soxr.resample(audio, HEARING_RATE, 2.0 * LOW_PASS_HZ, quality="VHQ")
    wide: FloatArray = soxr.resample(narrow, 2.0 * LOW_PASS_HZ, HEARING_RATE, quality="VHQ").astype(np.float32)
    return wide


def judged(
    foundation: Foundation, font: SoundFont, learned: Learned, program: int, recordings: list[Recording]
) -> Iterator[tuple[int, int, list[float]]]:
    """Yield key, velocity and distances of notes that were not recorded."""
    _, low, high = PROGRAMS[program]
    known = {one.pitch for one in recordings}
    unheard = [key for key in range(low, high + 1) if key not in known]
    chosen = np.unique(np.linspace(0, len(unheard) - 1, JUDGED_KEYS).astype(int))
    player = Player(foundation, learned.instrument, HEARING_RATE)
    for index, place in enumerate(chosen.tolist()):
        key, velocity = unheard[place], JUDGED_VELOCITIES[index % 2]
        wanted = font.render(program, key, velocity, HELD_S, TAIL_S, False)
        if np.abs(wanted).max() < 1e-3:
            continue
        nearest = nearest_recording(recordings, key, velocity)
        pace = 2.0 ** ((key - nearest.pitch) / 12.0)
        again = font.render(program, nearest.pitch, nearest.velocity, HELD_S * pace, (TAIL_S + 0.1) * pace, False)
        held = Recording(again, "x", nearest.pitch, nearest.velocity, HELD_S * pace)
        rival = sampled(held, key, velocity, HEARING_RATE, len(wanted))
        grown = player.play(key, velocity, HELD_S, len(wanted))
        distances = [hearing_distance(wanted, one, HEARING_RATE) for one in (grown, rival)]
        narrow = low_passed(wanted)
        distances += [hearing_distance(narrow, low_passed(one), HEARING_RATE) for one in (grown, rival)]
        yield key, velocity, distances


def learned_from(
    foundation: Foundation, program: int, count: int, speed: str, font: SoundFont
) -> tuple[list[Row], dict[str, object]]:
    """Learn a program from so many notes; return the judged notes, and what it took."""
    name, low, high = PROGRAMS[program]
    layers = LAYERS[count]
    recordings = record(font, program, recorded_keys(low, high, count // len(layers)), layers)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / name
        folder.mkdir()
        for one in recordings:
            soundfile.write(folder / f"{name}_{one.pitch:03d}_{one.velocity}.wav", one.audio, HEARING_RATE, "PCM_24")
        began = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        learned = learn(folder, Path(place) / f"{name}.tnca", speed=speed, foundation=foundation)
        cpu_s = resource.getrusage(resource.RUSAGE_SELF).ru_utime - began
    rows = [
        Row(program, name, count, key, velocity, *(round(one, 5) for one in distances))
        for key, velocity, distances in judged(foundation, font, learned, program, recordings)
    ]
    return rows, {"program": program, "name": name, "notes": count, "cpu_s": round(cpu_s, 1), **learned.as_values()}


def summary(rows: list[Row]) -> dict[str, float]:
    """Return means and shares of some notes."""
    means = {
        name: float(np.mean([getattr(one, name) for one in rows]))
        for name in ("grown", "sampler", "grown_low", "sampler_low")
    }
    return {
        "judged": len(rows),
        **{name: round(value, 5) for name, value in means.items()},
        "nearer": round(float(np.mean([one.grown < one.sampler for one in rows])), 3),
        "nearer_low": round(float(np.mean([one.grown_low < one.sampler_low for one in rows])), 3),
        "better_in_the_mean": round(1.0 - means["grown"] / means["sampler"], 3),
        "better_in_the_mean_low": round(1.0 - means["grown_low"] / means["sampler_low"], 3),
    }


def main() -> None:
    """Learn and judge, a line for each instrument, the means at the end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--font", default=FONT)
    parser.add_argument("--speed", choices=("fit", "full"), default="fit")
    parser.add_argument("--programs", type=int, nargs="+", choices=PROGRAMS, default=[*PROGRAMS])
    parser.add_argument("--notes", type=int, nargs="+", choices=LAYERS, default=[*LAYERS])
    parser.add_argument("--bank", type=Path, help="whose growth is the foundation: a folder, or low-rate")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    font, foundation = SoundFont(chosen.font, HEARING_RATE), open_foundation(Bank.load(chosen.bank))
    rows: list[Row] = []
    runs: list[dict[str, object]] = []
    for count in chosen.notes:
        for program in chosen.programs:
            own, run = learned_from(foundation, program, count, chosen.speed, font)
            rows, runs = rows + own, [*runs, run | {"summary": summary(own)}]
            print(
                json.dumps({key: run[key] for key in ("name", "notes", "cpu_s", "seconds", "bytes")} | summary(own)),
                flush=True,
            )
            if chosen.json:
                by_count = {
                    str(n): summary([one for one in rows if one.notes == n]) for n in {one.notes for one in rows}
                }
                chosen.json.write_text(
                    json.dumps(
                        {
                            "speed": chosen.speed,
                            "summary": by_count,
                            "runs": runs,
                            "notes": [asdict(one) for one in rows],
                        },
                        indent=1,
                    )
                )


if __name__ == "__main__":
    main()
