"""The mel and dual representations."""
