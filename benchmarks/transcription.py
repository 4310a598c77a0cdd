"""How well a transcriber finds the notes of pieces in what is rendered here, and in what FluidSynth makes of them.

    python benchmarks/transcription.py PIECE.mid ... [--program 0 --program 24] [--bank BANK] [--seconds 30] [--json]

All parts but the drums are played by one program. The transcriber is basic-pitch (Apache-2.0, its weights come with the
package: `pip install --no-deps basic-pitch mir_eval resampy pretty_midi`); a note is found where its key is right and
its beginning within 50 ms (mir_eval). Both sounds are dry.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import mir_eval
import numpy as np
import soundfile
from basic_pitch import ICASSP_2022_MODEL_PATH
from basic_pitch.inference import Model, predict

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.output.sinks import MemorySink
from tnca_synth.engine.render.song import render_song
from tnca_synth.midi import read_midi_file
from tnca_synth.midi.files.writer import encode_midi_file
from tnca_synth.midi.messages import DRUM_CHANNEL, NOTE_OFF, NOTE_ON, PROGRAM_CHANGE, is_note_start, program_change
from tnca_synth.training.sources.fluidsynth import RATE, play_song

Notes = tuple[np.ndarray, np.ndarray]
"""Beginnings and ends in seconds, float64 (N, 2), and frequencies in Hz, (N,)."""


def piece(path: Path, program: int, seconds: float) -> tuple[bytes, Notes]:
    """Return a MIDI file of the beginning of a piece on one program, and its notes."""
    messages = [(0, program_change(channel, program)) for channel in range(16) if channel != DRUM_CHANNEL]
    held: dict[tuple[int, int], float] = {}
    notes: list[tuple[float, float, int]] = []
    for one in read_midi_file(path).messages:
        kind, channel = one.data[0] & 0xF0, one.data[0] & 0x0F
        if kind not in (NOTE_ON, NOTE_OFF) or channel == DRUM_CHANNEL:
            if kind != PROGRAM_CHANGE and channel != DRUM_CHANNEL:
                messages.append((round(one.time_s * RATE), one.data))
            continue
        begun = held.pop((channel, one.data[1]), None)
        if begun is not None:
            notes.append((begun, max(one.time_s, begun + 0.01), one.data[1]))
        if is_note_start(one.data):
            if one.time_s > seconds:
                break
            held[channel, one.data[1]] = one.time_s
        messages.append((round(one.time_s * RATE), one.data))
    end = max(end_s for _, end_s, _ in notes)
    notes += [(begin_s, end, key) for (_, key), begin_s in held.items() if end > begin_s]
    messages += [(round(end * RATE), bytes((NOTE_OFF | channel, key, 64))) for channel, key in held]
    keys = np.array([key for *_, key in notes])
    spans = np.array([[begin_s, end_s] for begin_s, end_s, _ in notes])
    return encode_midi_file(messages, RATE), (spans, 440.0 * 2.0 ** ((keys - 69) / 12))


def rendered(midi: bytes, bank: Bank) -> FloatArray:
    """Return what the bank makes of a MIDI file, dry."""
    sink = MemorySink()
    render_song(read_midi_file(midi), assemble_synth(bank=bank, sample_rate=RATE, effects=False), sink)
    return sink.audio


def score(audio: FloatArray, truth: Notes, model: Model) -> float:
    """Return the F1 of the notes that the transcriber finds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "piece.wav")
        soundfile.write(path, audio.mean(axis=1) / max(float(np.abs(audio).max()), 1e-9), RATE)
        _, _, events = predict(path, model)
    spans = np.array([[event[0], event[1]] for event in events])
    hz = 440.0 * 2.0 ** ((np.array([event[2] for event in events]) - 69) / 12)
    return float(mir_eval.transcription.precision_recall_f1_overlap(*truth, spans, hz, offset_ratio=None)[2])


def main() -> None:
    """Print a row for each piece and program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pieces", nargs="+", type=Path)
    parser.add_argument("--program", action="append", type=int, help="0..127; piano and nylon guitar by default")
    parser.add_argument("--bank", type=Path)
    parser.add_argument("--soundfont", type=Path, default=Path("/usr/share/sounds/sf3/FluidR3Mono_GM.sf3"))
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    bank, model = Bank.load(options.bank), Model(ICASSP_2022_MODEL_PATH.with_suffix(".onnx"))
    rows = []
    for path in options.pieces:
        for program in options.program or [0, 24]:
            midi, truth = piece(path, program, options.seconds)
            there = score(play_song(midi, options.soundfont), truth, model)
            here = score(rendered(midi, bank), truth, model)
            rows.append({"piece": path.stem, "program": program, "notes": len(truth[1]), "there": there, "here": here})
            print(
                f"{path.stem[:30]:30s} {program:3d} {len(truth[1]):5d} {there:6.3f} {here:6.3f} {here - there:+.3f}",
                file=sys.stderr,
            )
    if options.json:
        json.dump(rows, sys.stdout, indent=1)
    more = np.array([row["here"] - row["there"] for row in rows])
    print(f"mean difference {more.mean():+.3f}, farthest {more[np.abs(more).argmax()]:+.3f}", file=sys.stderr)


if __name__ == "__main__":
    main()
