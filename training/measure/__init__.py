"""What is measured on recordings."""
