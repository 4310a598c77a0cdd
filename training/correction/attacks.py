"""Measuring how a bank's attacks differ from recorded ones: at the end of the chain, on what it renders.

For each recorded key, levels of the recording and of the rendered note are told every 2 ms over two periods of its
lowest tone; how they differ is its envelope (`engine.keys.stored.onsets`). It is kept where ears do not mind it: where
a model of hearing finds notes with it about as near to their recordings as without. Letters: E moments, N samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...engine.arrays import FloatArray
from ...engine.bank.added import instrument_file
from ...engine.bank.bank import Bank
from ...engine.bank.instruments import BankInstrument
from ...engine.instrument_files import InstrumentFile
from ...engine.keys.parts import correction_of, with_correction
from ...engine.keys.stored.onsets import LENGTH_S, MOMENTS, STEP_S, coded, decoded, no_onsets, onset_db
from ...engine.models.growth_model import OnnxGrowthModel
from ...engine.names import representation_of
from ..measure.attacks import level_window_s, rise_ms
from ..measure.hearing import hearing_distance
from ..validation.rendered import NoteRenderer
from .instrument_growth import Recorded

VELOCITIES = (48, 64, 80, 104)
"""What training hears; they share an envelope."""
HOLD_S, TAIL_S = 0.5, 0.1
PERIODS = (2.0, 1.5, 1.0)
"""Windows: the shorter, the nearer the rise; but with a single period envelopes follow the waveform of some keys, which
ears mind. So each key has the one with which it rises most like its recordings, of those that ears do not mind."""
LOUDER_DB, SOFTER_DB = 12.0, -40.0
"""As far as an envelope goes."""
ENDS_S = 0.02
"""Before its end an envelope fades to nothing for so long."""
AFTERWARDS_S = (0.035, 0.085)
"""Where levels are made equal first: what is wrong there is no matter of the attack."""
MOST_LEVEL = 4.0
"""Power by which they are made equal at most."""
ROUNDS = 3
"""Each mends what the one before has left: gains within a window blur."""
FLOOR = 1e-4
"""Power, beside the peak, that counts as silence."""
AUDIBLE = 1e-3
JUDGED_VELOCITIES = (64, 104)
MOST_WORSE, LEAST_MOVED = 1.25, 0.0002
"""How much further judged notes may come to be, by ratio and beyond that by distance: a single note moves by as much
where nobody hears a difference, and envelopes that are dropped for less make the mean worse."""

Pair = tuple[FloatArray, FloatArray]
"""What was recorded and what was rendered."""


def with_attacks(file: InstrumentFile, bank: Bank, growth: OnnxGrowthModel, recorded: Recorded) -> InstrumentFile:
    """Return an instrument with the envelopes of its attacks; those that it has are measured anew.

    Parameters
    ----------
    file : InstrumentFile
    bank : what it belongs to: its decoder renders the notes, the usual one of the representation
    growth : of the bank; gets to know the instrument as it is without envelopes
    recorded : what is to be met, at the growth's sample rate
    """
    name = file.facts.name
    correction = correction_of(file.table, name)
    if correction is None:
        return file
    plain = replace(file, table=with_correction(file.table, name, replace(correction, onsets=no_onsets())))
    rate = growth.spec.sample_rate
    renderer = NoteRenderer(bank, growth, representation_of(growth.representation).default_decoder, rate, plain)
    one = instrument_file(plain).instrument
    onsets = [_envelope(one, key, renderer, recorded, rate) for key in correction.key.tolist()]
    done = replace(correction, onsets=np.stack(onsets))
    return replace(file, table=with_correction(file.table, name, done))


def _envelope(
    instrument: BankInstrument, key: int, renderer: NoteRenderer, recorded: Recorded, rate: int
) -> NDArray[np.int8]:
    """Return the envelope of a key; nothing where there is no sound, or no gain in it."""
    pairs: dict[int, Pair] = {}
    for velocity in VELOCITIES:
        wanted = recorded(key, velocity, HOLD_S, TAIL_S)
        pairs[velocity] = wanted, renderer.render(instrument, key, velocity, HOLD_S, len(wanted))
    judged = [pairs[velocity] for velocity in JUDGED_VELOCITIES]
    return envelope_of([*pairs.values()], judged, rate, key if instrument.pitched else None)


def envelope_of(pairs: Sequence[Pair], judged: Sequence[Pair], sample_rate: int, key: int | None) -> NDArray[np.int8]:
    """Return the envelope of a key as it is stored; nothing where there is no sound, or no gain in it.

    Parameters
    ----------
    pairs : of its notes, the loudest one last
    judged : those of them that tell whether there is a gain
    key : MIDI key; None of a sound without a pitch
    """
    heard = [one for one in pairs if is_heard(one)]
    if not heard:
        return np.zeros(MOMENTS, np.int8)
    period_s = level_window_s(heard[-1][0], sample_rate, key)
    known = [one for one in judged if is_heard(one)]
    tried = [coded(measured_envelope(heard, sample_rate, each * max(STEP_S, period_s))) for each in PERIODS]
    tried.sort(key=lambda onsets: rise_off_ms(known, decoded(onsets), sample_rate, period_s))
    fitting = (onsets for onsets in tried if is_no_worse(known, decoded(onsets), sample_rate))
    return next(fitting, np.zeros(MOMENTS, np.int8))


def is_heard(pair: Pair) -> bool:
    """Tell whether there is sound in both."""
    return min(float(np.abs(one).max()) for one in pair) >= AUDIBLE


def rise_off_ms(pairs: Sequence[Pair], levels_db: FloatArray, sample_rate: int, window_s: float) -> float:
    """Return how far rises of notes with an envelope are from those of their recordings, in the mean; 0 of none."""
    off = [
        abs(
            rise_ms(recorded, sample_rate, window_s)
            - rise_ms(with_envelope(own, levels_db, sample_rate), sample_rate, window_s)
        )
        for recorded, own in pairs
    ]
    return float(np.mean(off)) if off else 0.0


def measured_envelope(pairs: Sequence[Pair], sample_rate: int, window_s: float) -> NDArray[np.float64]:
    """Return the gain in dB (E,) that brings rendered attacks to the levels of recorded ones.

    Parameters
    ----------
    pairs : of notes that share the envelope; each counts alike, however loud
    window_s : over which levels are told
    """
    loudest = [float(np.abs(recorded).max()) for recorded, _ in pairs]
    recorded, rendered = ([one[side] / peak for one, peak in zip(pairs, loudest, strict=True)] for side in (0, 1))
    wanted = _power(recorded, sample_rate, window_s)
    after = slice(*(round(one / STEP_S) for one in AFTERWARDS_S))
    share = wanted[after].sum() / max(float(_power(rendered, sample_rate, window_s)[after].sum()), 1e-12)
    wanted = wanted[:MOMENTS] / np.clip(share, 1.0 / MOST_LEVEL, MOST_LEVEL)
    floor = FLOOR * wanted.max()
    fade = np.clip((LENGTH_S - np.arange(MOMENTS) * STEP_S) / ENDS_S, 0.0, 1.0)
    gain_db = np.zeros(MOMENTS)
    for _ in range(ROUNDS):
        shaped = [with_envelope(one, decoded_db(gain_db * fade), sample_rate) for one in rendered]
        given = _power(shaped, sample_rate, window_s)[:MOMENTS]
        gain_db = np.clip(gain_db + 10.0 * np.log10((wanted + floor) / (given + floor)), SOFTER_DB, LOUDER_DB)
    return gain_db * fade


def decoded_db(gain_db: NDArray[np.float64]) -> FloatArray:
    """Return an envelope (E,) in dB as `onset_db` reads it, without rounding."""
    return np.append(gain_db, 0.0).astype(np.float32)


def with_envelope(audio: FloatArray, levels_db: FloatArray, sample_rate: int) -> FloatArray:
    """Return a note (N,) with the envelope of its attack, as the engine sets it right."""
    gain_db = onset_db(levels_db, np.arange(len(audio)) / sample_rate)
    shaped: FloatArray = audio * (10.0 ** (gain_db / 20.0)).astype(np.float32)
    return shaped


def is_no_worse(pairs: Sequence[Pair], levels_db: FloatArray, sample_rate: int) -> bool:
    """Tell whether notes are, as ears judge it, about as near to their recordings with an envelope as without."""
    before = sum(hearing_distance(recorded, rendered, sample_rate) for recorded, rendered in pairs)
    after = sum(
        hearing_distance(recorded, with_envelope(rendered, levels_db, sample_rate), sample_rate)
        for recorded, rendered in pairs
    )
    return after <= MOST_WORSE * before + LEAST_MOVED * len(pairs)


def _power(sounds: Sequence[FloatArray], sample_rate: int, window_s: float) -> NDArray[np.float64]:
    """Return the summed mean powers under Hann windows centred at moments, from the onset to `AFTERWARDS_S`."""
    width = max(3, round(window_s * sample_rate))
    window = np.hanning(width + 2)[1:-1]
    moments = np.round(np.arange(0.0, AFTERWARDS_S[1] + STEP_S, STEP_S) * sample_rate).astype(np.intp)
    total = np.zeros(len(moments))
    for sound in (one[: moments[-1] + width] for one in sounds):
        smooth = np.convolve(np.square(sound, dtype=np.float64), window / window.sum())[width // 2 :]
        total += smooth[moments]
    return total
