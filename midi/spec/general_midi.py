"""General MIDI level 1: names of programs, their families, drums and keys."""

from typing import Final

from ..messages import check_range

PROGRAMS_PER_FAMILY: Final = 8

_PROGRAMS_BY_FAMILY: Final = {
    "Piano": (
        "Acoustic Grand Piano", "Bright Acoustic Piano", "Electric Grand Piano", "Honky-tonk Piano",
        "Electric Piano 1", "Electric Piano 2", "Harpsichord", "Clavi",
    ),
    "Chromatic Percussion": (
        "Celesta", "Glockenspiel", "Music Box", "Vibraphone",
        "Marimba", "Xylophone", "Tubular Bells", "Dulcimer",
    ),
    "Organ": (
        "Drawbar Organ", "Percussive Organ", "Rock Organ", "Church Organ",
        "Reed Organ", "Accordion", "Harmonica", "Tango Accordion",
    ),
    "Guitar": (
        "Acoustic Guitar (nylon)", "Acoustic Guitar (steel)", "Electric Guitar (jazz)",
        "Electric Guitar (clean)", "Electric Guitar (muted)", "Overdriven Guitar", "Distortion Guitar",
        "Guitar Harmonics",
    ),
    "Bass": (
        "Acoustic Bass", "Electric Bass (finger)", "Electric Bass (pick)", "Fretless Bass",
        "Slap Bass 1", "Slap Bass 2", "Synth Bass 1", "Synth Bass 2",
    ),
    "Strings": (
        "Violin", "Viola", "Cello", "Contrabass",
        "Tremolo Strings", "Pizzicato Strings", "Orchestral Harp", "Timpani",
    ),
    "Ensemble": (
        "String Ensemble 1", "String Ensemble 2", "Synth Strings 1", "Synth Strings 2",
        "Choir Aahs", "Voice Oohs", "Synth Voice", "Orchestra Hit",
    ),
    "Brass": (
        "Trumpet", "Trombone", "Tuba", "Muted Trumpet",
        "French Horn", "Brass Section", "Synth Brass 1", "Synth Brass 2",
    ),
    "Reed": (
        "Soprano Sax", "Alto Sax", "Tenor Sax", "Baritone Sax",
        "Oboe", "English Horn", "Bassoon", "Clarinet",
    ),
    "Pipe": (
        "Piccolo", "Flute", "Recorder", "Pan Flute",
        "Blown Bottle", "Shakuhachi", "Whistle", "Ocarina",
    ),
    "Synth Lead": (
        "Lead 1 (square)", "Lead 2 (sawtooth)", "Lead 3 (calliope)", "Lead 4 (chiff)",
        "Lead 5 (charang)", "Lead 6 (voice)", "Lead 7 (fifths)", "Lead 8 (bass + lead)",
    ),
    "Synth Pad": (
        "Pad 1 (new age)", "Pad 2 (warm)", "Pad 3 (polysynth)", "Pad 4 (choir)",
        "Pad 5 (bowed)", "Pad 6 (metallic)", "Pad 7 (halo)", "Pad 8 (sweep)",
    ),
    "Synth Effects": (
        "FX 1 (rain)", "FX 2 (soundtrack)", "FX 3 (crystal)", "FX 4 (atmosphere)",
        "FX 5 (brightness)", "FX 6 (goblins)", "FX 7 (echoes)", "FX 8 (sci-fi)",
    ),
    "Ethnic": (
        "Sitar", "Banjo", "Shamisen", "Koto",
        "Kalimba", "Bag Pipe", "Fiddle", "Shanai",
    ),
    "Percussive": (
        "Tinkle Bell", "Agogo", "Steel Drums", "Woodblock",
        "Taiko Drum", "Melodic Tom", "Synth Drum", "Reverse Cymbal",
    ),
    "Sound Effects": (
        "Guitar Fret Noise", "Breath Noise", "Seashore", "Bird Tweet",
        "Telephone Ring", "Helicopter", "Applause", "Gunshot",
    ),
}  # fmt: skip

FAMILY_NAMES: Final = tuple(_PROGRAMS_BY_FAMILY)
PROGRAM_NAMES: Final = tuple(name for names in _PROGRAMS_BY_FAMILY.values() for name in names)

# Keys 35..81 are General MIDI level 1; 27..34 and 82..87 are common additions of GS and General MIDI 2.
_FIRST_DRUM_KEY: Final = 27
_DRUMS: Final = (
    "High Q", "Slap", "Scratch Push", "Scratch Pull", "Sticks", "Square Click", "Metronome Click",
    "Metronome Bell", "Acoustic Bass Drum", "Bass Drum 1", "Side Stick", "Acoustic Snare", "Hand Clap",
    "Electric Snare", "Low Floor Tom", "Closed Hi-Hat", "High Floor Tom", "Pedal Hi-Hat", "Low Tom",
    "Open Hi-Hat", "Low-Mid Tom", "Hi-Mid Tom", "Crash Cymbal 1", "High Tom", "Ride Cymbal 1",
    "Chinese Cymbal", "Ride Bell", "Tambourine", "Splash Cymbal", "Cowbell", "Crash Cymbal 2", "Vibraslap",
    "Ride Cymbal 2", "Hi Bongo", "Low Bongo", "Mute Hi Conga", "Open Hi Conga", "Low Conga", "High Timbale",
    "Low Timbale", "High Agogo", "Low Agogo", "Cabasa", "Maracas", "Short Whistle", "Long Whistle",
    "Short Guiro", "Long Guiro", "Claves", "Hi Wood Block", "Low Wood Block", "Mute Cuica", "Open Cuica",
    "Mute Triangle", "Open Triangle", "Shaker", "Jingle Bell", "Belltree", "Castanets", "Mute Surdo",
    "Open Surdo",
)  # fmt: skip

DRUM_NAMES: Final = dict(enumerate(_DRUMS, start=_FIRST_DRUM_KEY))

_EXCLUSIVE: Final = (
    (29, 30),  # scratches
    (42, 44, 46),  # hi-hat
    (71, 72),  # whistles
    (73, 74),  # guiros
    (78, 79),  # cuicas
    (80, 81),  # triangles
    (86, 87),  # surdos
)
EXCLUSIVE_DRUMS: Final = {key: frozenset(keys) - {key} for keys in _EXCLUSIVE for key in keys}
"""The drums that each key stops, because they are one instrument (exclusive classes of General MIDI 1 and 2)."""

KIT_NAMES: Final = {
    0: "Standard", 8: "Room", 16: "Power", 24: "Electronic", 25: "Analog", 32: "Jazz", 40: "Brush", 48: "Orchestra",
    56: "SFX",
}  # fmt: skip
"""Drum kits of General MIDI 2 by program."""
_NOTE_NAMES: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def program_name(program: int) -> str:
    """Return the General MIDI name of a program 0..127.

    Raises
    ------
    ValueError
        If the program is out of range.
    """
    return PROGRAM_NAMES[check_range("program", program, 0, 127)]


def family_of(program: int) -> str:
    """Return the name of the family (of eight programs) that a program 0..127 belongs to.

    Raises
    ------
    ValueError
        If the program is out of range.
    """
    return FAMILY_NAMES[check_range("program", program, 0, 127) // PROGRAMS_PER_FAMILY]


def kit_name(program: int) -> str:
    """Return what to call the drum kit of a program 0..127, numbers first: others number them in other ways.

    Raises
    ------
    ValueError
        If the program is out of range.
    """
    name = KIT_NAMES.get(check_range("program", program, 0, 127))
    return f"drum kit {program}" if name is None else f"drum kit {program} ({name})"


def drum_name(key: int) -> str | None:
    """Return the name of the drum on a key 0..127 of a drum channel; None where there is none.

    Raises
    ------
    ValueError
        If the key is out of range.
    """
    return DRUM_NAMES.get(check_range("key", key, 0, 127))


def key_name(key: int) -> str:
    """Return a key's name; 60 is C4."""
    return f"{_NOTE_NAMES[key % 12]}{key // 12 - 1}"
