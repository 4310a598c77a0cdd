"""The waveform representation."""
