"""Paths at half the internal rate sound beside the others: as they do alone, at the same times."""

from __future__ import annotations

import numpy as np
import pytest

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.decoders.base import Decoder, NoteControls
from tnca_synth.engine.decoders.combined.upsampled import UpsampledDecoder, at_rate
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.spectra.fields import Fields
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.errors import UsageError
from tnca_synth.midi import messages as midi

HOP, SLOTS, SLOT = 64, 4, np.array([2])
SEED = np.array([1], np.uint64)


class Tape(Decoder):
    """A decoder whose frames are hops of the sound."""

    name, consumes, lookahead = "tape", ("mel",), 1

    def begin(self, slots: np.ndarray, fields: Fields, controls: NoteControls, seeds: np.ndarray) -> None:
        """Take the frame that is ahead."""
        self.ahead = fields["mel"]

    def decode(self, slots: np.ndarray, fields: Fields, controls: NoteControls) -> FloatArray:
        """Sound the frames but the newest."""
        line = np.concatenate([self.ahead, fields["mel"]], axis=1)
        self.ahead = line[:, -1:]
        return line[:, :-1].reshape(len(slots), -1)


def controls(count: int) -> NoteControls:
    return NoteControls(np.zeros((1, count)), np.zeros(1))


def upsampled(sound: FloatArray, times: int, calls: int) -> FloatArray:
    """Return what a tape with a sound gives at a multiple of its rate, in so many calls."""
    decoder = UpsampledDecoder(Tape(), HOP, times, SLOTS)
    assert (decoder.lookahead, decoder.unpitched_lookahead) == (2, 2)
    frames = sound.reshape(1, -1, HOP)
    decoder.begin(SLOT, {"mel": frames[:, :2]}, controls(2), SEED)
    rest = np.split(frames[:, 2:], calls, axis=1)
    return np.concatenate([decoder.decode(SLOT, {"mel": one}, controls(one.shape[1]))[0] for one in rest])


@pytest.mark.parametrize("times", [2, 3])
def test_a_tone_is_the_same_tone_at_a_higher_rate_and_at_the_same_time(times: int) -> None:
    turns = 0.2 * np.pi * np.arange(26 * HOP)
    got = upsampled(np.sin(turns).astype(np.float32), times, 6)
    wanted = np.sin(0.2 * np.pi / times * np.arange(len(got)))
    inside = slice(times * HOP, None)  # before its beginning there is nothing
    assert np.abs(got - wanted)[inside].max() < 1e-3
    np.testing.assert_array_equal(got[::times], np.sin(turns).astype(np.float32)[: len(got) // times])


def test_calls_change_no_bit() -> None:
    noise = np.random.default_rng(1).normal(size=26 * HOP).astype(np.float32)
    np.testing.assert_array_equal(upsampled(noise, 2, 1), upsampled(noise, 2, 24))


def test_what_is_not_there_below_stays_away_above() -> None:
    noise = np.random.default_rng(1).normal(size=66 * HOP).astype(np.float32)
    power = np.abs(np.fft.rfft(upsampled(noise, 2, 1) * np.hanning(128 * HOP))) ** 2
    above = power[round(12_000 / 22_050 * len(power)) :]
    assert 10.0 * np.log10(above.max() / power.mean()) < -60.0


def test_equal_rates_leave_a_decoder_alone_and_others_must_be_whole_multiples() -> None:
    tape, spec = Tape(), AudioSpec()
    assert at_rate(tape, spec, spec.at_rate(22050), SLOTS) is tape
    assert spec.at_rate(44100) == AudioSpec(44100, 2048, 512)
    with pytest.raises(UsageError, match="48000 Hz is no whole multiple of 22050 Hz"):
        spec.at_rate(48000)


def rendered(bank: str | None) -> tuple[FloatArray, int]:
    """Play a note by the mel representation; return it with the number of its first frame."""
    synth = assemble_synth(representation="mel", bank_path=bank, effects=False, sample_rate=44100).synth
    synth.send(midi.program_change(0, 73), 0)
    synth.send(midi.note_on(0, 72, 100), 3000)
    audio = synth.render(22050)[:, 0]
    return audio, int(np.flatnonzero(audio)[0])


def test_a_representation_beside_a_finer_one_sounds_as_it_does_alone() -> None:
    (beside, first), (alone, _) = rendered(None), rendered("low-rate")
    assert first == 3000
    spectra = [np.abs(np.fft.rfft(audio))[: round(9500 / 2)] for audio in (beside, alone)]
    error = np.sum((spectra[0] - spectra[1]) ** 2) / np.sum(spectra[1] ** 2)
    assert 10.0 * np.log10(error) < -30.0
