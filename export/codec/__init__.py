"""Codec and waveform networks as streaming ONNX."""
