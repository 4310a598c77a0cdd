"""What the standards say: tables and message layouts."""
