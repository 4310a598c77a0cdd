"""Making blocks of sound in time, from messages."""
