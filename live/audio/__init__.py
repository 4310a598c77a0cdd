"""The audio output: devices, ring buffer, clock."""
