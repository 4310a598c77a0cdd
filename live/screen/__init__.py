"""What a player sees and types."""
