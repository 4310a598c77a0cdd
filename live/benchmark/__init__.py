"""Measuring live play."""
