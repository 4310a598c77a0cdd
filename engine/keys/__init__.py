"""What was measured for each recorded key."""
