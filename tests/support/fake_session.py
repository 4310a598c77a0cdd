"""A session that plays nothing and remembers what it was told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tnca_synth.errors import TncaError
from tnca_synth.live.protocol import LiveOptions, LiveStatus, PartStatus

STATUS = LiveStatus(
    instrument="cello",
    representation="dual",
    decoder="harmonic",
    voices=5,
    max_voices=64,
    peak_left_db=-14.2,
    peak_right_db=-15.6,
    load=0.31,
    latency_ms=7.4,
    last_message="Note on C4, velocity 96, channel 1",
    midi_ports=("Keystation 49 MK3",),
    midi_inputs=("Midi Through", "Keystation 49 MK3", "Nano"),
    parts=(
        PartStatus(1, "cello", "", "dual", "harmonic"),
        PartStatus(3, "grand-piano", "Harp", "dual", "harmonic"),
        PartStatus(10, "drums", "", "dual", "harmonic"),
    ),
    audio_device="JACK Audio Connection Kit: system",
    sample_rate=48_000,
    block_size=128,
    notices=("MIDI input: Keystation 49 MK3", "Audio output: system at 48000 Hz"),
)


class FakeSession:
    """Stands in for `LiveSession`; `moment` is what it shows, `told` what it was told."""

    instruments = ("grand-piano", "violin", "cello", "flute")
    own_instruments = ("thumb box",)
    outputs = ("system (JACK Audio Connection Kit)", "Speakers (ALSA)")
    decoders = ("vocoder", "griffin-lim", "harmonic")
    representations = ("dual", "mel")

    def __init__(self, options: LiveOptions | None = None) -> None:
        self.options = options
        self.recordings = () if options is None or options.record is None else (options.record,)
        self.moment = STATUS
        self.told: list[tuple[str, Any]] = []
        self.failure: TncaError | None = None

    def start(self, timeout_s: float = 60.0) -> None:
        self.told.append(("start", None))
        if self.failure is not None:
            raise self.failure

    def status(self) -> LiveStatus:
        if self.failure is not None:
            raise self.failure
        return self.moment

    def show(self, **changes: Any) -> None:
        self.moment = replace(self.moment, **changes)

    def select_instrument(self, name: str) -> None:
        self.told.append(("instrument", name))
        self.show(instrument=name, is_first_choice=True)

    def select_representation(self, name: str) -> None:
        self.told.append(("representation", name))
        self.show(representation=name)

    def select_decoder(self, name: str) -> None:
        self.told.append(("decoder", name))
        self.show(decoder=name)

    def lock_instrument(self, name: str) -> None:
        self.told.append(("lock", name))
        self.show(instrument=name, is_locked=True)

    def morph_into(self, name: str) -> None:
        self.told.append(("morph", name))

    def follow_midi(self) -> None:
        self.told.append(("lock", None))
        self.show(is_locked=False, is_first_choice=False)

    def select_midi_inputs(self, names: Sequence[str]) -> None:
        self.told.append(("midi_in", tuple(names)))

    def select_output(self, name: str) -> None:
        self.told.append(("output", name))

    def obey_growth_controllers(self, obeys: bool = True) -> None:
        self.told.append(("growth_cc", obeys))
        self.show(growth_cc=obeys)

    def start_recording(self) -> Path:
        self.told.append(("record", True))
        self.show(recording="take.wav", recorded_s=0.5)
        return Path("take.wav")

    def stop_recording(self) -> None:
        self.told.append(("record", False))
        self.show(recording="")

    def send(self, data: bytes) -> None:
        self.told.append(("send", data))

    def learn(self, target: str | None) -> None:
        self.told.append(("learn", target))

    def panic(self) -> None:
        self.told.append(("panic", None))

    def close(self) -> None:
        self.told.append(("close", None))

    def sent(self) -> list[bytes]:
        return [value for what, value in self.told if what == "send"]
