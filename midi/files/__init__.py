"""Standard MIDI files: reading and writing."""
