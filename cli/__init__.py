"""The `tnca-synth` command line: argument parsing and printing, one module per command."""

from .commands import main

__all__ = ["main"]
