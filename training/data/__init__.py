"""Notes for training."""
