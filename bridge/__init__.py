"""The engine for plugins: one process that plays for all clients of a user, through shared memory."""
