"""Recordings, checked and heard."""
