"""Products with few rows (a dense layer on one sample): all threads of a block share the sum of each result.

Weights are read once and never again, so that nothing is gained by shared memory; what counts is how many reads are
under way. Neighbouring threads have neighbouring columns; each slice of a block sums every so many steps.
"""

from ..loops.code import Value, const, minimum
from .gemm import Product, multiplied


def write_sliced(product: Product) -> None:
    """Write a product whose tile has ``slices``, all rows in one block."""
    code, t, dtype = product.code, product.tile, product.dtype
    me = code.thread()
    along, slice_ = code.let(me % t.columns), code.let(me // t.columns)
    column = code.let(code.block(0) * t.columns + along)
    own = code.let(minimum(column, product.columns - 1))
    starts = [tuple(code.let(s) for s in product.row_starts(code.let(const(r)))) for r in range(product.rows)]
    sums = code.local(dtype, product.rows, "sums")
    for r in range(product.rows):
        code.store(sums, r, const(0, dtype))
    with code.loop(-(-product.depth // t.slices)) as turn:
        step = code.let(turn * t.slices + slice_)

        def one(step: Value) -> None:
            w = code.let(product.right(code.let(step * t.columns + along), step, own))
            for r in range(product.rows):
                x = product.left(starts[r], step)
                code.store(sums, r, multiplied(product.kind, sums.load(r), x, w))

        if product.depth % t.slices:
            with code.when(step < product.depth):
                one(step)
        else:
            one(step)
    parts = code.shared(dtype, t.threads, "parts")
    for r in range(product.rows):
        code.store(parts, me, sums.load(r))
        code.barrier()
        with code.when(slice_.equals(0) & (column < product.columns)):
            total = code.local(dtype, 1, "total")
            code.store(total, 0, product.start(own))
            with code.loop(t.slices, unrolled=True) as s:
                code.store(total, 0, total.load(0) + parts.load(s * t.columns + along))
            product.finish(const(r), own, code.let(total.load(0)))
        if r < product.rows - 1:
            code.barrier()
