"""Banks: what plays a key."""
