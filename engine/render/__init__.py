"""Rendering songs to files."""

from .file import render, render_file
from .song import RenderReport

__all__ = ["RenderReport", "render", "render_file"]
