"""From voices to the buses and the output."""
