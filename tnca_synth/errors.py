"""The one exception tree. A message says what, what was got, what was expected, what to do next."""


class TncaError(Exception):
    """Base of every error this package raises for a user to read; its text is one line."""


class UsageError(TncaError):
    """The caller asked for something that does not exist or does not fit (CLI exit status 2)."""


class MidiFileError(TncaError):
    """A file is not a MIDI file, or is damaged beyond playing."""


class BankError(TncaError):
    """A bank or model file is missing, damaged, or not one of ours."""


class ModelError(TncaError):
    """A model misbehaved while running, e.g. produced NaN."""


class AudioFileError(TncaError):
    """A recording could not be read, or a rendered file not written."""


class DatasetError(TncaError):
    """A note dataset has nothing usable in it."""


class DeviceError(TncaError):
    """An audio device or a MIDI port is missing, busy, or not to be opened this way."""
