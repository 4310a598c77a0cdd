"""Events at exact samples, and what they start."""
