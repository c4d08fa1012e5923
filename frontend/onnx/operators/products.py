"""Products of matrices of which any may be computed, whole numbers too: for models without a batch."""

import numpy as np

from ....graph import Node
from ....graph.ops import Add, MatMul, Mul, Reshape, Transpose
from ..registry import Call, Flow


def gemm(call: Call) -> Node:
    """``alpha * a @ b + beta * c``, the first two transposed where the attributes say so."""
    alpha, beta = call.attributes.real("alpha", 1.0), call.attributes.real("beta", 1.0)
    a, b = (_matrix(call, i, turned=call.attributes.boolean(key, 0)) for i, key in enumerate(("transA", "transB")))
    product = call.node(MatMul(), a, b)
    product = product if alpha == 1.0 else call.node(Mul(), product, call.number(alpha))
    if call.optional(2) is None:
        return product
    c = call.operand(2, 2)
    return call.node(Add(), product, c if beta == 1.0 else call.node(Mul(), c, call.number(beta)))


def _matrix(call: Call, i: int, *, turned: bool) -> Node:
    x = call.operand(i, 2)
    if len(x.shape) != 2:
        raise call.misfit(f"multiplies matrices, input {i} has shape {x.shape}")
    return call.node(Transpose((1, 0)), x) if turned else x


def matmul(call: Call) -> Node:
    """``x @ y`` by numpy's rules; a vector is a row on the left and a column on the right."""
    left, right = (_factor(call, i) for i in (0, 1))
    if call.lead and len(left.shape) != len(right.shape) and all(isinstance(call.value(i), Flow) for i in (0, 1)):
        raise call.refuse(
            f"the product of {call.shown(left)} and {call.shown(right)} mixes samples",
            "give both operands the same number of axes, the batch first",
        )
    x = left if len(left.shape) > 1 else call.node(Reshape((1, *left.shape)), left)
    y = right if len(right.shape) > 1 else call.node(Reshape((*right.shape, 1)), right)
    product = call.node(MatMul(), x, y)
    dropped = [-2] * (len(left.shape) == 1) + [-1] * (len(right.shape) == 1)
    shape = tuple(np.delete(np.array(product.shape, np.int64), dropped).tolist())
    return product if shape == product.shape else call.node(Reshape(shape), product)


def _factor(call: Call, i: int) -> Node:
    """Give an operand. Raises UnsupportedError where the product would sum over the batch."""
    value = call.value(i)
    x = value.node if isinstance(value, Flow) else call.constant(call.sample(value, call.rank(0, 1), f"input {i}"))
    if not x.shape:
        raise call.misfit("multiplies matrices, got a single number")
    if call.lead and isinstance(value, Flow) and len(x.shape) < 2 and (i == 1 or isinstance(call.value(1), Flow)):
        raise call.refuse(f"the product sums over the batch of {call.shown(x)}", "give it one more axis")
    return x
