"""The version of the program, which files made by it name."""

__version__ = "0.2.0"
