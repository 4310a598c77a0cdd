"""A session: the control process and the engine's process."""
