"""Rendering songs to files."""
