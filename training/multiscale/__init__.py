"""The multi-scale representation."""
