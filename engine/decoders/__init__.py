"""Decoders: grown spectral frames become sound."""
