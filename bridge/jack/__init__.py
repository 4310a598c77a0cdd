"""The instrument as a client of a JACK server: `jack.c` beside the bridge's client, called through ctypes."""
