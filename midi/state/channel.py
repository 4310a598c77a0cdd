"""The continuous state of one MIDI channel: what an engine reads at any moment, between note commands."""

from typing import Final

from ..messages import (
    ATTACK_TIME,
    BANK_LSB,
    BANK_MSB,
    BEND_CENTRE,
    BREATH,
    BRIGHTNESS,
    CHORUS_SEND,
    DECAY_TIME,
    DRUM_CHANNEL,
    ENSEMBLE_BLEND,
    EXPRESSION,
    MODULATION,
    NEUTRAL_BLEND,
    NUM_CHANNELS,
    PAN,
    PORTAMENTO,
    PORTAMENTO_CONTROL,
    PORTAMENTO_TIME,
    RELEASE_TIME,
    REVERB_SEND,
    SOFT_PEDAL,
    SUSTAIN,
    TIMBRE,
    VIBRATO_DEPTH,
    VOLUME,
)
from ..spec.banks import makes_drums
from ..spec.growth_controllers import CONTROLLERS as GROWTH_CONTROLLERS
from ..spec.growth_controllers import GrowthSettings
from ..spec.path_controllers import DECODER, PATH_BANK, REPRESENTATION, path_number, path_of_bank
from ..spec.rpn import RegisteredParameters
from .defaults import POWER_UP, RESETTABLE

PEDAL_DOWN: Final = 64
HALF_PEDAL: Final = 32
"""From this value up to `PEDAL_DOWN` the sustain pedal slows releases down instead of holding notes."""
HALF_PEDAL_SPEED: Final = 1.0 / 6.0
"""How fast releases go just below `PEDAL_DOWN`."""
MAX_PORTAMENTO_S: Final = 2.0
MAX_VIBRATO_DEPTH: Final = 0.5
"""Semitones either way that the highest vibrato depth (CC 77) adds."""

_NUM_CONTROLLERS: Final = 128
_CENTRED: Final = 64
_NONE: Final = -1
# Controllers whose LSB, 32 above, is understood; a new MSB sets it to 0 (MIDI 1.0, "Control Change").
_PAIRED: Final = frozenset((MODULATION, BREATH, PORTAMENTO_TIME, VOLUME, PAN, EXPRESSION))


class Channel:
    """Continuous state of one MIDI channel.

    Attributes
    ----------
    index : int
        MIDI channel, 0..15; of a second port 16..31, and so on.
    controllers : list of int
        The last value of each controller as received, 128 values 0..127; e.g. `controllers[91]` is the reverb
        send. The channel mode messages 120..127 leave no trace here.
    bend : int
        Pitch bend, -8192..8191.
    program : int
        Program, 0..127.
    bank : int
        Bank in force, 14 bits (MSB * 128 + LSB): the one selected when the program last changed.
    key_shift, detuning : float
        Semitones that GS or XG add to every key; not to drums.
    keys : range
        Keys that are heard; others do nothing.
    is_drums : bool
        Whether keys name drums instead of pitches: on the tenth of each port, until a bank or a SysEx says otherwise.
    is_mono : bool
        Whether one note sounds at a time, and keys struck while another is down carry it along (legato).
    pressure : float
        Channel pressure, 0..1.
    key_pressure : dict of int to float
        Pressure 0..1 of the keys that sent any since they were struck.
    parameters : RegisteredParameters
        Bend range, tuning and others.
    growth : GrowthSettings
        What it asks of the growth of its notes.
    path : tuple of two int
        Numbers of representation and decoder, see `midi.spec.path_controllers`; 0 where MIDI has not chosen.
    """

    def __init__(self, index: int) -> None:
        self.index = index
        self.growth = GrowthSettings()
        self.reset()

    def reset(self) -> None:
        """Return to the state at power-up."""
        self.controllers = [POWER_UP.get(number, 0) for number in range(_NUM_CONTROLLERS)]
        self.parameters = RegisteredParameters()
        self.program = 0
        self.bank = 0
        self.path = (0, 0)
        self.key_shift = self.detuning = 0.0
        self.keys = range(_NUM_CONTROLLERS)
        self.is_drums = self.is_drum_channel
        self.is_mono = False
        self._blend: float = NEUTRAL_BLEND
        self.growth.reset()
        self._reset_modulation()

    def reset_controllers(self) -> None:
        """Reset what "reset all controllers" (CC 121) resets, as MIDI RP-015 has it."""
        for number, value in RESETTABLE.items():
            self.controllers[number] = value
        self.parameters.deselect()
        self.growth.reset_modulation()
        self._reset_modulation()

    def _reset_modulation(self) -> None:
        self.bend = 0
        self.pressure = 0.0
        self.key_pressure: dict[int, float] = {}
        self._has_breath = False
        self._portamento_source = _NONE

    @property
    def is_drum_channel(self) -> bool:
        """Whether it is the tenth of its port, where drums are at power-up."""
        return self.index % NUM_CHANNELS == DRUM_CHANNEL

    @property
    def gain(self) -> float:
        """Linear gain 0..1 of volume (CC 7) times expression (CC 11), and breath (CC 2) once it was above 0.

        General MIDI level 1 asks for 40 log10(value / 127) dB of each. Volume or expression 0 is silence, and meant:
        songs begin so to fade in. Breath is no part of General MIDI; who sends 0 only has no breath controller.
        """
        breath = self._paired(BREATH) / 127 if self._has_breath else 1.0
        return (self._paired(VOLUME) * self._paired(EXPRESSION) / 127**2 * breath) ** 2

    @property
    def pan(self) -> float:
        """Position from -1 (left) through 0 to 1 (right).

        General MIDI 2 makes both 0 and 1 hard left, so that 64 is the exact middle.
        """
        return min((max(self._paired(PAN), 1) - _CENTRED) / 63, 1.0)

    @property
    def modulation(self) -> float:
        """Modulation wheel (CC 1), 0..1."""
        return self._paired(MODULATION) / 127

    @property
    def vibrato(self) -> float:
        """Depth of the vibrato in semitones either way: of modulation, and of a vibrato depth (CC 77) above 64."""
        added = MAX_VIBRATO_DEPTH * max(self._centred(VIBRATO_DEPTH), 0.0)
        return self.modulation * self.parameters.modulation_range + added

    @property
    def brightness(self) -> float:
        """Brightness (CC 74), -1..1; this and the following are 0 at 64, the centre. 0 where CC 74 moves growth."""
        return self._centred(BRIGHTNESS) if self.growth.slide_target is None else 0.0

    @property
    def timbre(self) -> float:
        """Timbre intensity (CC 71), -1..1."""
        return self._centred(TIMBRE)

    @property
    def attack_time(self) -> float:
        """Attack time (CC 73), -1..1."""
        return self._centred(ATTACK_TIME)

    @property
    def decay_time(self) -> float:
        """Decay time (CC 75), -1..1."""
        return self._centred(DECAY_TIME)

    @property
    def release_time(self) -> float:
        """Release time (CC 72), -1..1."""
        return self._centred(RELEASE_TIME)

    @property
    def reverb_send(self) -> float:
        """Reverb send (CC 91), 0..1."""
        return self.controllers[REVERB_SEND] / 127

    @property
    def chorus_send(self) -> float:
        """Chorus send (CC 93), 0..1."""
        return self.controllers[CHORUS_SEND] / 127

    @property
    def blend(self) -> float:
        """Share 0..1 of the second part in an ensemble of decoders (CC 28)."""
        return self._blend / 127

    @property
    def release_speed(self) -> float:
        """How fast releases go under the sustain pedal: 1 but for a pedal half down."""
        value = self.controllers[SUSTAIN]
        if not HALF_PEDAL <= value < PEDAL_DOWN:
            return 1.0
        return HALF_PEDAL_SPEED ** ((value - HALF_PEDAL + 1) / (PEDAL_DOWN - HALF_PEDAL))

    @property
    def is_soft_pedal_down(self) -> bool:
        """Whether the soft pedal (CC 67) is down; each `NoteStart` carries it too."""
        return self.controllers[SOFT_PEDAL] >= PEDAL_DOWN

    @property
    def has_portamento(self) -> bool:
        """Whether notes glide from key to key (CC 65)."""
        return self.controllers[PORTAMENTO] >= PEDAL_DOWN

    @property
    def portamento_s(self) -> float:
        """Seconds that a glide takes (CC 5), whatever the interval."""
        return MAX_PORTAMENTO_S * (self._paired(PORTAMENTO_TIME) / 127) ** 2

    @property
    def pitch_offset(self) -> float:
        """Semitones to add to every key: bend within its range, plus fine and coarse tuning."""
        return self.bend / BEND_CENTRE * self.parameters.bend_range + self.parameters.tuning

    def control(self, controller: int, value: int) -> int | None:
        """Store a controller's value; return the registered parameter that it set, if it set one."""
        self.controllers[controller] = value
        if controller in _PAIRED:
            self.controllers[controller + 32] = 0
        if controller == BREATH:
            self._has_breath = self._has_breath or value > 0
        elif controller in GROWTH_CONTROLLERS:
            self.growth.control(controller, value)
        elif controller == BRIGHTNESS and self.growth.slide_target is not None:
            self.growth.control(self.growth.slide_target, value)
        elif controller == REPRESENTATION:
            self.path = (path_number(value), self.path[1])
        elif controller == DECODER:
            self.path = (self.path[0], path_number(value))
        elif controller == ENSEMBLE_BLEND:
            self._blend = value
        elif controller == PORTAMENTO_CONTROL:
            self._portamento_source = value or _NONE  # controllers that are all sent as 0 name no key
        return self.parameters.control(controller, value)

    def set_growth(self, controller: int, value: float) -> None:
        """Set a controller of `midi.spec.growth_controllers.OWN_CONTROLLERS` that has a fraction (0..127.99)."""
        if controller == ENSEMBLE_BLEND:
            self._blend = min(value, 127.0)
        else:
            self.growth.control(controller, value)

    def press(self, value: int) -> None:
        """Take channel pressure 0..127, which moves growth where it was told to."""
        is_routed = self.growth.pressure_target is not None
        self.pressure = 0.0 if is_routed else value / 127
        self.growth.press(value)

    def take_portamento_source(self) -> int | None:
        """Return the key that the next note glides from (CC 84), None if none was named; it is named once."""
        source, self._portamento_source = self._portamento_source, _NONE
        return None if source == _NONE else source

    def change_program(self, program: int, standard: str = "") -> None:
        """Change the program and let the bank selected by CC 0 and CC 32 take effect.

        Parameters
        ----------
        program : int
        standard : str
            What was switched on last, see `System`.
        """
        self.program = program
        msb = self.controllers[BANK_MSB]
        self.bank = msb << 7 | self.controllers[BANK_LSB]
        becomes_drums = makes_drums(standard, msb, self.is_drum_channel)
        if becomes_drums is not None:
            self.is_drums = becomes_drums
        if msb == PATH_BANK:
            self.path = path_of_bank(self.controllers[BANK_LSB])

    def _paired(self, controller: int) -> float:
        """Return a controller's value 0..127 with the fraction that its LSB gives."""
        return min(self.controllers[controller] + self.controllers[controller + 32] / 128, 127.0)

    def _centred(self, controller: int) -> float:
        value = self.controllers[controller] - _CENTRED
        return value / (63 if value > 0 else 64)
