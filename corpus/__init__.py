"""Many songs at once: corpora with stems and annotations, and libraries of single notes."""
