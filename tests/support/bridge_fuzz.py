"""Random damage for both sides of the bridge."""
