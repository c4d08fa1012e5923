"""What prints the figures that the documentation claims."""
