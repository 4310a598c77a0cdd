"""Where sound goes: files, streams, memory, loudness."""
