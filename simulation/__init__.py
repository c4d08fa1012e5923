"""What compares executions: test vectors and verification."""

from .vectors import make_vectors

__all__ = ["make_vectors"]
