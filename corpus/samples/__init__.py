"""Libraries of single notes, for samplers."""
