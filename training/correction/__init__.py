"""What a trained model misses on recorded keys, measured."""
