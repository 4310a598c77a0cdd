"""The training loop and what it shares."""
