"""Takes: sound and MIDI on disk."""
