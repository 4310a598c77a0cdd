"""Configurations: facts low, reading them above."""
