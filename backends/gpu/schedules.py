"""Which of the ways to write a product its tile asks for."""

from .gemm import Product, Registers
from .slices import write_sliced
from .warps import Warps


def write(product: Product) -> None:
    """Write a product."""
    if product.tile.slices:
        write_sliced(product)
    else:
        product.write(Warps if product.tile.warps else Registers)
