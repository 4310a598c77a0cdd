"""The engine's process for plugins: who keeps it alive, who talks to clients, who renders for them."""
