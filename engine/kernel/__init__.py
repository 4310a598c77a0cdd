"""The hop of the default path, compiled: `hop.c`, what loads it and what it is told; see docs/kernel.md."""
