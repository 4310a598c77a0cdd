"""The plugin TNCA Synth for digital audio workstations: its C++ sources, and how they are built and installed."""
