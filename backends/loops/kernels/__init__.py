"""How each step is computed: loop nests over vectors, one writer for each kind of anchor."""

from . import pools, products, reductions, rows, sorting
from .frame import Written, elementwise, filled, written

__all__ = ["Written", "elementwise", "filled", "pools", "products", "reductions", "rows", "sorting", "written"]
