"""The value of one element, for every operation whose elements can be computed one by one."""

from . import choose, formats, moves, pointwise

__all__ = ["choose", "formats", "moves", "pointwise"]
