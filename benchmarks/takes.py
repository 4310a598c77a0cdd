"""Long takes split into notes: what is found, at which pitch, how exactly in time, and what nobody played.


PYTHONPATH=tests/support python benchmarks/takes.py

Takes of 24 chromatic notes are rendered from a SoundFont, with the noise of a room 40 dB below the peak. The splitter
was tuned on the first five instruments; the others were never looked at. A note is heard from where its level comes
within 10 dB of what still sounds of the others.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from time import process_time

import numpy as np
from performances import SOUNDFONT, STYLES, Played, Score, metronome, perform, room, score, speech

from tnca_synth.training.material.takes.curves import RATE
from tnca_synth.training.material.takes.splitting import begins, split
from tnca_synth.training.sources.soundfont import SoundFont

INSTRUMENTS = {
    "piano": (0, 48), "violin": (40, 57), "kalimba": (108, 60), "flute": (73, 60), "voice": (53, 50),
    "nylon guitar": (24, 45), "marimba": (12, 50), "vibraphone": (11, 55), "cello": (42, 40), "trumpet": (56, 58),
    "clarinet": (71, 52), "oboe": (68, 60), "church organ": (19, 48), "synth bass": (38, 30),
}  # fmt: skip
TUNED_ON = 5
NUM_KEYS = 24


def disturbed(audio: np.ndarray, played: list[Played]) -> dict[str, tuple[np.ndarray, list[Played]]]:
    """Return the same take as people record it."""
    time = np.arange(len(audio)) / RATE
    hum = 0.004 * np.sin(2 * np.pi * 50 * time) + 0.002 * np.sin(2 * np.pi * 150 * time)
    before = 5.0
    later = [Played(one.onset_s + before, one.key, one.velocity, one.hold_s) for one in played]
    return {
        "noise at -30 dB": (room(audio, RATE, -30.0), played),
        "mains hum": (room(audio, RATE) + hum, played),
        "a metronome": (room(metronome(audio, RATE), RATE), played),
        "speech before": (room(np.concatenate([speech(before, RATE), audio]), RATE), later),
    }


def judge(audio: np.ndarray, played: list[Played]) -> Score:
    audio = np.asarray(audio, np.float32)
    notes, _ = split(audio)
    onsets = [at / RATE for at in begins(audio, notes)]
    return score(played, onsets, [round(note.heard) for note in notes])


def row(name: str, scores: list[Score]) -> str:
    total = {key: sum(asdict(one)[key] for one in scores) for key in asdict(scores[0])}
    played = total["played"]
    shares = [100 * total[key] / played for key in ("found", "pitch", "near_20_ms", "near_50_ms", "false")]
    return f"| {name} | {played} | " + " | ".join(f"{share:.0f}" for share in shares) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    font = SoundFont(SOUNDFONT, RATE)
    by_instrument: dict[str, list[Score]] = {}
    by_style: dict[str, list[Score]] = {}
    sound_s, begin_s = 0.0, process_time()
    for name, (program, low) in INSTRUMENTS.items():
        keys = list(range(low, low + NUM_KEYS))
        for style, notes in STYLES.items():
            audio, played = perform(font, program, notes(keys))
            cases = {style: (room(audio, RATE), played)}
            if style == "detached":
                cases |= {f"detached, {what}": case for what, case in disturbed(audio, played).items()}
            for what, (sound, truth) in cases.items():
                found = judge(sound, truth)
                by_style.setdefault(what, []).append(found)
                if what == style:
                    by_instrument.setdefault(name, []).append(found)
                sound_s += len(sound) / RATE
    spent_s = process_time() - begin_s
    if arguments.json:
        print(json.dumps({name: [asdict(one) for one in scores] for name, scores in by_instrument.items()}, indent=2))
        return
    print("| takes | notes | found % | right key % | within 20 ms % | within 50 ms % | false % |\n" + 7 * "|---" + "|")
    names = list(by_instrument)
    for title, chosen in (("tuned on", names[:TUNED_ON]), ("never seen", names[TUNED_ON:])):
        print(row(f"all {title}", [one for name in chosen for one in by_instrument[name]]))
    for scores in (by_instrument, by_style):
        for name, found in scores.items():
            print(row(name, found))
    print(f"\n{1000 * spent_s / sound_s:.0f} ms of processor time for a second of sound, rendering included")


if __name__ == "__main__":
    main()
