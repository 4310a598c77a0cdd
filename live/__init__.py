"""Live play: MIDI ports in, an audio device out, with the engine in a process of its own."""
