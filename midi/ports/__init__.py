"""MIDI ports of the system."""
