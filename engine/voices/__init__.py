"""Sounding notes."""
