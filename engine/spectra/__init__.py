"""Spectra: pitch, frames, transposition, tone."""
