"""The real-time half: banks, growth, decoders, voices, mixing. Never imports torch, rtmidi or sounddevice."""
