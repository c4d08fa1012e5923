"""What compares executions: test vectors and verification."""

from .vectors import input_ranges, make_vectors

__all__ = ["input_ranges", "make_vectors"]
