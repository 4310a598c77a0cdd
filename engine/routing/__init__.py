"""Which signal path a channel takes, and changes under sounding notes."""
