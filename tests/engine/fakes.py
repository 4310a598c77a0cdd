"""A growth model, a decoder and a bank that are simple enough to predict, for tests of voices and mixing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.interfaces import Instrument
from tnca_synth.engine.decoders.base import Decoder, NoteControls
from tnca_synth.engine.keys.apply import KeyApplier
from tnca_synth.engine.keys.motions import STILL, Motion, MotionTable
from tnca_synth.engine.keys.stored.motion_arrays import MotionArrays
from tnca_synth.engine.models.interfaces import Genome, HopInputs
from tnca_synth.engine.spectra.fields import Fields
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.engine.synth import Synth
from tnca_synth.engine.voices.voice import num_slots
from tnca_synth.midi import messages

SPEC = AudioSpec()
RATE = SPEC.sample_rate
HOP = SPEC.hop_length
NUM_CELLS = 8


@dataclass
class FakeGrown:
    grid: FloatArray
    fields: Fields
    alive: NDArray[np.bool_]


@dataclass
class FakeGrowth:
    """Its level is the velocity while held, falls by `release_factor` a hop afterwards, and dies below 1e-5.

    With a fire rate below 1, cells that do not fire keep their level, and the mean level tells.
    """

    release_factor: float = 0.5
    held_factor: float = 1.0
    broken_from_age_s: float = np.inf
    broken_value: float = np.nan
    broken_above_pitch: float = -1.0
    spec: AudioSpec = SPEC
    fields: tuple[str, ...] = ("mel",)
    steps_per_hop: int = 2
    settling_hops: int = 16
    moves: MotionArrays | None = None
    swells: list[FloatArray] = field(default_factory=list)
    batch_sizes: list[int] = field(default_factory=list)
    ages_s: list[NDArray[np.float32]] = field(default_factory=list)
    release_ages_s: list[NDArray[np.float32]] = field(default_factory=list)
    planted_pitches: list[float] = field(default_factory=list)
    grown_pitches: list[FloatArray] = field(default_factory=list)

    def plant(
        self, pitch: FloatArray, velocity: FloatArray, timbre: FloatArray, pitched: FloatArray, stretch: FloatArray
    ) -> Genome:
        assert pitch.dtype == velocity.dtype == timbre.dtype == pitched.dtype == stretch.dtype == np.float32
        assert timbre.shape == (len(pitch), 3)
        self.planted_pitches += pitch.tolist()
        grid = np.zeros((len(pitch), NUM_CELLS, 2), np.float32)
        grid[:, :, 0] = velocity[:, None]
        return {"grid": grid, "pitch": pitch}

    @property
    def finisher(self) -> KeyApplier:
        return KeyApplier(self.spec, self.motions)

    @property
    def motions(self) -> MotionTable:
        return MotionTable(self.spec, self.moves)

    def step(self, genome: Genome, hop: HopInputs) -> FakeGrown:
        grid = genome["grid"]
        age_s, release_age_s, fire_mask, swell = hop
        assert swell.shape == (len(grid), self.spec.num_mels) and swell.dtype == np.float32
        assert len(grid) == len(genome["pitch"]) == len(age_s) == len(release_age_s)
        assert fire_mask.shape == (len(grid), self.steps_per_hop, NUM_CELLS)
        assert age_s.dtype == release_age_s.dtype == fire_mask.dtype == np.float32
        self.swells.append(swell.copy())
        self.batch_sizes.append(len(grid))
        self.grown_pitches.append(genome["pitch"].copy())
        self.ages_s.append(age_s.copy())
        self.release_ages_s.append(release_age_s.copy())
        factor = np.where(release_age_s >= 0, self.release_factor, self.held_factor).astype(np.float32)
        fires = fire_mask[:, 0] * fire_mask[:, 1]
        level = grid[:, :, 0] * np.where(fires > 0, factor[:, None], np.float32(1.0))
        broken = (age_s >= self.broken_from_age_s) & (genome["pitch"] > self.broken_above_pitch)
        level[broken] = self.broken_value
        grid = np.stack([level, grid[:, :, 1]], axis=2)
        return FakeGrown(grid, {"mel": grid.transpose(0, 2, 1).copy()}, level.max(axis=1) > 1e-5)


class FakeDecoder(Decoder):
    """A cosine at the fundamental, or noise where there is none; its level runs from frame to frame in lines."""

    name = "fake"
    consumes: tuple[str, ...] = ("mel",)

    def __init__(
        self, max_voices: int, lookahead: int = 1, noise: float = 0.0, nan_after_hops: int | None = None
    ) -> None:
        self.lookahead = lookahead
        self.noise = noise
        self.nan_after_hops = nan_after_hops
        self.begun: list[int] = []
        self._levels = np.zeros((max_voices, lookahead))
        self._phase = np.zeros(max_voices)
        self._seeds = np.zeros(max_voices, np.uint64)
        self._hops = np.zeros(max_voices, np.int64)

    def begin(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls, seeds: NDArray[np.uint64]) -> None:
        assert fields["mel"].shape == (len(slots), self.lookahead, 2, NUM_CELLS)
        assert controls.f0_hz.shape == (len(slots), self.lookahead)
        self.begun += slots.tolist()
        self._levels[slots] = fields["mel"][:, :, 0].mean(axis=2)
        self._phase[slots] = 0.0
        self._seeds[slots] = seeds
        self._hops[slots] = 0

    def decode(self, slots: NDArray[np.intp], fields: Fields, controls: NoteControls) -> FloatArray:
        num_hops = fields["mel"].shape[1]
        assert controls.f0_hz.shape == (len(slots), num_hops)
        assert len(set(slots.tolist())) == len(slots)
        audio = np.empty((len(slots), num_hops, HOP), np.float32)
        rising = np.arange(HOP) / HOP
        for row, slot in enumerate(slots):
            for hop in range(num_hops):
                new = fields["mel"][row, hop, 0].astype(np.float64).mean()
                levels = np.append(self._levels[slot], new)
                level = levels[0] + (levels[1] - levels[0]) * rising
                step = controls.f0_hz[row, hop] / RATE
                wave = np.cos(2 * np.pi * (self._phase[slot] + step * np.arange(HOP)))
                self._phase[slot] = (self._phase[slot] + step * HOP) % 1.0
                if self.noise or not step:
                    dice = np.random.default_rng([int(self._seeds[slot]), int(self._hops[slot])])
                    wave = wave * bool(step) + (self.noise if step else 0.5) * dice.uniform(-1, 1, HOP)
                audio[row, hop] = 0.5 * level * wave
                self._levels[slot] = levels[1:]
                self._hops[slot] += 1
                if self.nan_after_hops is not None and self._hops[slot] > self.nan_after_hops:
                    audio[row, hop, 7] = np.nan
        return audio.reshape(len(slots), -1)


@dataclass(frozen=True)
class FakeInstrument:
    name: str = "Fake Grand"
    cents: float = 0.0
    stretch: float = 0.0
    level_db: float = 0.0
    program: int = 0
    is_drums: bool = False
    bank: int = 0


@dataclass(frozen=True)
class FakeChoice:
    instrument: FakeInstrument
    pitched: bool
    substituted: bool
    motion: Motion = STILL
    drum: int | None = None
    is_silent: bool = False

    @property
    def timbre(self) -> FloatArray:
        return np.zeros(3, np.float32)

    def motion_at(self, velocity: float) -> Motion:
        return self.motion

    def tuning(self, key: int) -> tuple[float, float]:
        return self.instrument.cents, self.instrument.stretch

    def level_db(self, key: int, velocity: float) -> float:
        return self.instrument.level_db

    def release_rate(self, velocity: float) -> float:
        return 0.0


@dataclass
class FakeBank:
    """Knows the programs 0..7; others are stood in for."""

    only: ClassVar[Instrument | None] = None
    has_drums: ClassVar[bool] = True
    changes: ClassVar[int] = 0
    cents: float = 0.0
    motions: tuple[Motion, ...] = (STILL,)  # of the programs, the last one of all others
    asked: list[tuple[int, int, bool, int]] = field(default_factory=list)
    named_ones: list[tuple[str, int]] = field(default_factory=list)

    def instrument_for(self, program: int, bank: int, is_drums: bool, key: int) -> FakeChoice:
        self.asked.append((program, bank, is_drums, key))
        motion = self.motions[min(program, len(self.motions) - 1)]
        return FakeChoice(FakeInstrument(cents=self.cents), not is_drums, program > 7, motion)

    def expect(self, program: int, bank: int, is_drums: bool) -> bool:
        return False

    def unlocked_instrument_for(self, program: int, bank: int, is_drums: bool, key: int) -> FakeChoice:
        return self.instrument_for(program, bank, is_drums, key)

    def named(self, instrument: FakeInstrument, key: int) -> FakeChoice:
        self.named_ones.append((instrument.name, key))
        motion = self.motions[min(instrument.program, len(self.motions) - 1)]
        return FakeChoice(FakeInstrument(instrument.name, self.cents), not instrument.is_drums, False, motion)


def make_synth(
    growth: FakeGrowth | None = None,
    decoder: FakeDecoder | None = None,
    bank: FakeBank | None = None,
    *,
    sample_rate: int = RATE,
    max_voices: int = 8,
    effects: bool = False,
    **options: object,
) -> Synth:
    """Return a synth of fakes, at the internal rate and dry unless told."""
    return Synth(
        growth or FakeGrowth(),
        decoder or FakeDecoder(num_slots(max_voices)),
        bank or FakeBank(),
        sample_rate=sample_rate,
        max_voices=max_voices,
        effects=effects,
        **options,  # type: ignore[arg-type]
    )


def set_up(synth: Synth, channels: range = range(16)) -> None:
    """Bring channels to full volume, so that a note of velocity 127 has the amplitude 0.5 * sqrt(0.5) on each side."""
    for channel in channels:
        synth.send(messages.control_change(channel, messages.VOLUME, 127), 0)


def render_in_blocks(synth: Synth, num_frames: int, block_size: int) -> FloatArray:
    """Render in blocks of one size, the last one shorter if need be."""
    sizes = [block_size] * (num_frames // block_size) + [num_frames % block_size]
    return np.concatenate([synth.render(size) for size in sizes])
