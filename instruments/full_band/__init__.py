"""the full-band bank: 112 programs and all kits of the SoundFont at 44.1 kHz, in the dual representation."""
