"""How a MIDI channel sounds at a moment, with everything in it that has a say: MPE master, system, half pedal."""

from typing import NamedTuple

from .channel import Channel
from .system import System


class Expression(NamedTuple):
    """What the voices of a channel obey.

    Attributes
    ----------
    pitch : semitones added to every key
    vibrato : depth in semitones either way, of the modulation wheel
    pressure : channel pressure, 0..1
    brightness, timbre, attack_time, decay_time, release_time : -1..1, 0 is neutral
    release_speed : 1, or less under a pedal that is half down
    gain : linear, 0..1
    pan : -1..1, left to right
    balance : -1..1, of the whole synthesizer
    reverb_send, chorus_send : 0..1, up to 2 where the effect's own level was raised
    blend : share of the second part in an ensemble of decoders, 0..1
    growth_rate : 0 stands still, 1 is neutral, up to 4
    fire_rate : probability that a cell updates, 1 is neutral
    life_threshold : 0.1 is neutral
    damage : shares of the grid erased so far
    morph_x, morph_y : place on the pad of timbres, 0..1
    """

    pitch: float
    vibrato: float
    pressure: float
    brightness: float
    timbre: float
    attack_time: float
    decay_time: float
    release_time: float
    release_speed: float
    gain: float
    pan: float
    balance: float
    reverb_send: float
    chorus_send: float
    blend: float
    growth_rate: float
    fire_rate: float
    life_threshold: float
    damage: float
    morph_x: float
    morph_y: float


def expression_of(channel: Channel, master: Channel | None, system: System) -> Expression:
    """Return how a channel sounds; `master` leads its MPE zone, if it is a member of one."""
    pitch = channel.pitch_offset
    if not channel.is_drums:
        pitch += system.tuning + channel.key_shift + channel.detuning
    pressure, brightness = channel.pressure, channel.brightness
    if master is not None:
        pitch += master.pitch_offset
        pressure = max(pressure, master.pressure)
        brightness = min(max(brightness + master.brightness, -1.0), 1.0)
    return Expression(
        pitch=pitch,
        vibrato=channel.vibrato,
        pressure=pressure,
        brightness=brightness,
        timbre=channel.timbre,
        attack_time=channel.attack_time,
        decay_time=channel.decay_time,
        release_time=channel.release_time,
        release_speed=channel.release_speed,
        gain=channel.gain * system.gain,
        pan=channel.pan,
        balance=system.balance,
        reverb_send=channel.reverb_send * system.reverb,
        chorus_send=channel.chorus_send * system.chorus,
        blend=channel.blend,
        growth_rate=channel.growth.rate,
        fire_rate=channel.growth.fire_rate,
        life_threshold=channel.growth.life_threshold,
        damage=channel.growth.damage,
        morph_x=channel.growth.morph[0],
        morph_y=channel.growth.morph[1],
    )
