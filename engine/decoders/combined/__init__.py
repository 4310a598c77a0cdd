"""Decoders made of others."""
