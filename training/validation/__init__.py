"""How far grown notes are off their recordings."""
