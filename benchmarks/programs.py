"""How near a bank's programs come to the recordings of a SoundFont, as a model of hearing judges it.

Of each program a few keys that training never heard are rendered as a user hears them, dry and at full band, and
compared by Zimtohrli with the SoundFont and, beside it, with what a sampler makes of a recording three semitones lower.
Of what sustains the pitch is compared as well, by SwiftF0.

    python benchmarks/programs.py --bank BANK --bank OTHER --preset foundation --keys 2 --report report

A program that a bank lacks is played by the instrument that it puts in its place, as it would in a song. With --report
a folder is written with a page for people, `index.md`: for each program the spectrograms of a recording and of what
the first bank renders, with the figures; the farthest first.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import librosa
import numpy as np

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.training.config.instruments import InstrumentConfig
from tnca_synth.training.config.run import load_preset
from tnca_synth.training.measure.hearing import HEARING_RATE, hearing_distance
from tnca_synth.training.measure.recording import HELD_OUT_VELOCITY, is_held_out_key
from tnca_synth.training.sources.soundfont import SoundFont
from tnca_synth.training.sources.soundfont_file import DRUM_BANK, Preset
from tnca_synth.training.validation.held_out import SAMPLER_SEMITONES, sampler
from tnca_synth.training.validation.pitch_judge import PitchJudge
from tnca_synth.training.validation.rendered import NoteRenderer

HOLD_S, TAIL_S = 1.5, 0.8
LOWEST, HIGHEST = 40, 84
AUDIBLE = 1e-3
SUSTAINS_DB = -20.0
"""What ends no further below its beginning sustains."""
WITHIN_CENTS = 5.0
SAMPLER = "sampler"


@dataclass
class Program:
    """What was found of a program.

    Attributes
    ----------
    distances : by bank, and of the sampler; Zimtohrli of each key
    cents : by bank, how far the pitch is off the recording's on each key of what sustains and has a pitch
    seen : key, and what the recording and the first bank sound like on it
    """

    distances: dict[str, list[float]] = field(default_factory=dict)
    cents: dict[str, list[float]] = field(default_factory=dict)
    seen: tuple[int, FloatArray, FloatArray] | None = None

    @property
    def means(self) -> dict[str, float]:
        """Mean distance by bank, and of the sampler."""
        return {name: float(np.mean(values)) for name, values in self.distances.items()}


def keys_of(one: InstrumentConfig, count: int) -> list[int]:
    """Return held-out keys of a program, or drums of a kit, spread over what is played."""
    if one.drum_keys:
        keys = list(one.keys or range(one.low, one.high + 1))
    else:
        keys = [key for key in range(max(one.low, LOWEST), min(one.high, HIGHEST) + 1) if is_held_out_key(key)]
    places = np.linspace(0, len(keys) - 1, count + 2)[1:-1].round().astype(int)
    return [keys[place] for place in dict.fromkeys(places.tolist())] if keys else []


def judged(
    one: InstrumentConfig,
    keys: Sequence[int],
    font: SoundFont,
    renderers: Mapping[str, NoteRenderer],
    pitch: PitchJudge,
) -> Program:
    """Compare keys of a program with their recordings."""
    preset = Preset(DRUM_BANK if one.drum_keys else one.bank, one.program, one.name)
    found = Program()
    for key in keys:
        recording = font.play(preset, key, HELD_OUT_VELOCITY, HOLD_S, TAIL_S)
        if np.abs(recording).max() < AUDIBLE:
            continue
        for name, renderer in renderers.items():
            audio = renderer.render(one, key, HELD_OUT_VELOCITY, HOLD_S, len(recording))
            found.distances.setdefault(name, []).append(hearing_distance(recording, audio, HEARING_RATE))
            if one.pitched and sustains(recording):
                cents = pitch.cents_between(audio, recording, HEARING_RATE)
                found.cents.setdefault(name, []).extend([cents] if np.isfinite(cents) else [])
            found.seen = found.seen or (key, recording, audio)
        if not one.drum_keys:
            low = font.play(preset, key - SAMPLER_SEMITONES, HELD_OUT_VELOCITY, HOLD_S, TAIL_S)
            moved = np.pad(sampler(low, HEARING_RATE), (0, len(recording)))[: len(recording)]
            found.distances.setdefault(SAMPLER, []).append(hearing_distance(recording, moved, HEARING_RATE))
    return found


def sustains(recording: FloatArray) -> bool:
    """Tell whether a note is still loud when it is let go."""
    levels = [np.mean(recording[int(at * HEARING_RATE) :][: HEARING_RATE // 5] ** 2) for at in (0.2, HOLD_S - 0.25)]
    return bool(10.0 * np.log10((levels[1] + 1e-12) / (levels[0] + 1e-12)) > SUSTAINS_DB)


def draw(path: Path, name: str, program: Program) -> None:
    """Draw the spectrograms of a recording and of what is rendered side by side."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    assert program.seen is not None
    key, *sounds = program.seen
    figure, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
    for axis, sound, label in zip(axes, sounds, (f"{name}, key {key}: recording", "rendered"), strict=True):
        peak = np.sqrt(np.mean(sound**2)) + 1e-9
        mel = librosa.feature.melspectrogram(y=sound / peak, sr=HEARING_RATE, n_fft=2048, hop_length=256, n_mels=160)
        shown = librosa.power_to_db(mel, ref=1.0)
        axis.imshow(
            shown, origin="lower", aspect="auto", vmin=-50, vmax=40, extent=(0, len(sound) / HEARING_RATE, 0, 160)
        )
        axis.set_title(label, fontsize=9)
        axis.set_xlabel("s")
    axes[0].set_ylabel("mel band")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def write_report(folder: Path, bank: str, programs: Mapping[str, Program]) -> None:
    """Write a page with a picture and the figures of each program, the farthest from its recordings first."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"# Programs of {bank}", ""]
    lines += ["Zimtohrli, held-out keys at velocity 90, dry; left the recording, right what is rendered.", ""]
    for name, program in sorted(programs.items(), key=lambda one: -one[1].means[bank]):
        draw(folder / f"{name}.png", name, program)
        cents = ", ".join(f"{value:+.1f}" for value in program.cents.get(bank, [])) or "-"
        figures = ", ".join(f"{label} {value:.4f}" for label, value in program.means.items())
        lines += [f"## {name}", "", f"{figures}; cents off: {cents}", "", f"![{name}]({name}.png)", ""]
    (folder / "index.md").write_text("\n".join(lines), encoding="utf-8")


def tell(programs: Mapping[str, Program], banks: Sequence[str]) -> None:
    """Print the means, how often the sampler is farther away, and how many notes are in tune."""
    means = [program.means for program in programs.values()]
    for label, stat in (("mean", np.mean), ("median", np.median)):
        print(f"{label:28s}", *(f"{stat([row[name] for row in means if name in row]):17.4f}" for name in banks))
    for name in banks:
        both = [row for row in means if SAMPLER in row]
        print(f"{name}: nearer than the sampler on {sum(row[name] < row[SAMPLER] for row in both)} of {len(both)}")
        cents = np.array([value for program in programs.values() for value in program.cents.get(name, [])])
        if cents.size:
            share = 100.0 * np.mean(np.abs(cents) <= WITHIN_CENTS)
            print(f"{name}: {share:.1f} % of {cents.size} sustained notes within {WITHIN_CENTS:g} cents")


def main() -> None:
    """Print a row for each program and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bank", action="append", type=Path, help="bank to judge; the shipped one by default")
    parser.add_argument("--preset", default="foundation")
    parser.add_argument("--keys", type=int, default=2, help="keys of each program")
    parser.add_argument("--instrument", action="append", help="judge this one alone; may be repeated")
    parser.add_argument("--json", type=Path, help="write all distances to this file")
    parser.add_argument("--report", type=Path, help="write a page with pictures to this folder")
    arguments = parser.parse_args()
    data = load_preset(arguments.preset).data
    font = SoundFont(data.soundfont, HEARING_RATE)
    banks = {str(path or "shipped"): Bank.load(path) for path in arguments.bank or [None]}
    renderers = {name: NoteRenderer(bank, bank.growth_model("dual", "cpu"), "harmonic") for name, bank in banks.items()}
    chosen = [one for one in data.instruments if not arguments.instrument or one.name in arguments.instrument]
    print(f"{'program':28s}", *(f"{name[-16:]:>17s}" for name in (*renderers, SAMPLER)), f"{'cents off':>17s}")
    programs: dict[str, Program] = {}
    pitch = PitchJudge()
    for one in chosen:
        found = judged(one, keys_of(one, arguments.keys), font, renderers, pitch)
        if not found.distances:
            continue
        programs[one.name] = found
        cells = [f"{found.means.get(name, np.nan):17.4f}" for name in (*renderers, SAMPLER)]
        cents = " ".join(f"{value:+.1f}" for value in next(iter(found.cents.values()), []))
        print(f"{one.name:28s}", *cells, f"{cents:>17s}", flush=True)
    tell(programs, [*renderers])
    if arguments.json:
        table = {name: {"distances": one.means, "cents": one.cents} for name, one in programs.items()}
        arguments.json.write_text(json.dumps(table, indent=1))
    if arguments.report:
        write_report(arguments.report, next(iter(renderers)), programs)


if __name__ == "__main__":
    main()
