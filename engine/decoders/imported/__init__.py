"""Vocoders of other projects as decoders."""
