"""One note, trained before your eyes."""
