"""What names of sample files mean."""
