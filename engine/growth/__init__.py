"""Growing voices, hop by hop."""
