"""The hierarchical representation."""
