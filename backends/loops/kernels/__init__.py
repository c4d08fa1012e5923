"""How each step is computed: loop nests over vectors, one writer for each kind of anchor."""

from . import columns, packed, packed_ring, pools, products, reductions, ring, rows, sorting
from .attention import attention
from .by_rows import by_rows
from .frame import Written, elementwise, filled, written

__all__ = [
    "Written", "attention", "by_rows", "columns", "elementwise", "filled", "packed", "packed_ring", "pools",
    "products", "reductions", "ring", "rows", "sorting", "written",
]  # fmt: skip
