"""Matrix products: weights that are constant, and products of two computed tensors."""

import numpy as np

from ....graph import Array, NDArray, Node
from ....graph.arrays import as_array
from ....graph.numerics import multiply
from ....graph.ops import Add, Constant, Dense, MatMul, Reshape, Transpose
from ....graph.ops.interface import flat_scale
from ...onnx.formats import in_units_of
from ..broadcast import operands, sample
from ..registry import Call, Results, operator
from ..values import Flow, Known, Place, Scaled
from .activations import scaled


@operator("linear")
def linear(call: Call) -> Results:
    """``x @ weight.T + bias`` along the last axis."""
    x, w, bias = call.flow("input"), call.value("weight"), call.optional("bias")
    if isinstance(w, Flow):
        product = product_of(call, x, transposed(call, w))
        return product if bias is None else added(call, product, bias)
    if w.at(0).ndim == 1:
        return product_of(call, x, w) if bias is None else _refuse_vector(call)
    weights = call.weights(w, "weight", np.transpose)
    return dense(call, x, weights, None if bias is None else call.real(call.fixed(bias, "bias")))


def _refuse_vector(call: Call) -> Flow:
    raise call.misfit("a vector of weights with a bias")


def transposed(call: Call, x: Flow) -> Flow:
    """Exchange the last two axes."""
    dims = (*range(x.rank - 2), x.rank - 1, x.rank - 2)
    return permuted(call, x, dims)


def permuted(call: Call, x: Flow, dims: tuple[int, ...]) -> Flow:
    """Put the axes of the source in another order; the batch goes where its axis goes."""
    if x.place is None:
        return x.on(call.node(Transpose(dims), x.node)) if dims != tuple(range(len(dims))) else x
    at = x.place.axis
    kept = [d for d in dims if d != at] if x.place.pure else list(dims)
    order = tuple(d - (x.place.pure and d > at) for d in kept)
    node = x.node if order == tuple(range(len(order))) else call.node(Transpose(order), x.node)
    return Flow(node, Place(dims.index(at), x.place.outer, x.place.inner), x.dtype)


def dense(call: Call, x: Flow, w: NDArray | Node, bias: NDArray | None = None) -> Flow:
    """``x @ w + bias`` with constant weights [inputs, outputs]; a bias of another shape is added."""
    weights = w if isinstance(w, Node) else call.constant(w, "weight")
    axis = call.axis(x, -1)
    if axis != len(x.node.shape) - 1 or len(weights.shape) != 2 or weights.shape[0] != x.node.shape[-1]:
        raise call.misfit(f"{call.shape(x)} times weights of shape {weights.shape}")
    units = weights.shape[1]
    inputs = [x.node, weights]
    fits = bias is not None and bias.shape in ((units,), (1, units))
    if bias is not None and fits:
        inputs.append(bias_of(call, bias.reshape(-1), x.node, weights))
    result = x.on(call.node(Dense(), *inputs))
    return result if bias is None or fits else added(call, result, Known((bias,)))


def bias_of(call: Call, bias: NDArray, x: Node, weights: Node) -> Node:
    """Give a bias: in float32, and in units of the product, 32 bits of them, where that is one of integers.

    PyTorch adds it in float32. The rounding is half a unit of the accumulator at most.
    """
    if not (x.type.is_integer and weights.type.is_integer and flat_scale(x.type)):
        return call.constant(bias, "bias")
    unit = multiply(x.type.quantized.scale, weights.type.quantized.scale)
    cells = as_array(unit)
    q = np.rint(bias.astype(np.float64) / np.vectorize(float, otypes=[np.float64])(cells))
    if cells.ndim > 1 or np.abs(q).max(initial=0.0) >= 2.0**31:
        return call.constant(bias, "bias")
    return Node(Constant(Array(q.astype(np.int64)), in_units_of(unit, 32)), (), f"{call.name}/bias")


def added(call: Call, x: Flow, y: Flow | Known) -> Flow:
    """``x + y``."""
    nodes, place = operands(call, x, y)
    return Flow(call.node(Add(), *nodes), place)


def product_of(call: Call, x: Flow | Known, y: Flow | Known) -> Flow:
    """``x @ y`` by the rules of ``torch.matmul``."""
    for value, key in ((x, "self"), (y, "other")):
        if isinstance(value, Flow):
            call.as_flow(value, key)
    if isinstance(x, Flow) and isinstance(y, Known):
        return _by_weights(call, x, y)
    if isinstance(y, Flow) and isinstance(x, Known):
        return _weights_by(call, x, y)
    left, right = call.as_flow(x, "self"), call.as_flow(y, "other")
    return _computed(call, left, right)


def _by_weights(call: Call, x: Flow, y: Known) -> Flow:
    """Multiply by a constant; where it has more axes than a matrix, the batch may be one of those, or the rows."""
    w = _matrix(call, y, x.rank)
    if w is not None:
        return dense(call, x, w) if y.at(0).ndim > 1 else squeezed(call, dense(call, x, w), -1)
    if x.rank < 2:
        raise call.refuse(f"{call.shape(x)} times weights with more axes", "reshape the weights to a matrix")
    call.axis(x, -1)
    rank = max(x.rank, y.at(0).ndim)
    if x.place is None:
        return Flow(call.node(MatMul(), x.node, call.constant(y.at(0), "weight")), None)
    place = Place(rank - x.from_right, x.place.outer, x.place.inner)
    if x.from_right > 2:
        weights = call.constant(sample(call, y, place, rank, "the weights"), "weight")
        return Flow(call.node(MatMul(), x.node, weights), place)
    weights = call.constant(call.fixed(y, "the weights"), "weight")
    rows = x.node if not x.place.pure else call.node(Reshape((*x.node.shape[:-1], 1, x.node.shape[-1])), x.node)
    product = call.node(MatMul(), rows, weights)
    if x.place.pure:
        product = call.node(Reshape((*product.shape[:-2], product.shape[-1])), product)
    return Flow(product, place)


def _matrix(call: Call, y: Known, rank: int) -> Node | None:
    """Give constant weights as a matrix, a vector as its column; None where more axes are longer than 1."""
    shape = y.at(0).shape
    if len(shape) > 2 and (len(shape) > rank or any(n != 1 for n in shape[:-2])):
        return None
    return call.weights(y, "weight", lambda v: v.reshape(v.shape[-2:] if v.ndim > 1 else (-1, 1)))


def _weights_by(call: Call, x: Known, y: Flow) -> Flow:
    """``w @ y`` as ``(y.T @ w.T).T``, also where the columns of y are the batch."""
    if y.rank == 1:
        raise call.refuse("weights times a vector along the batch", "give the input an axis for the batch")
    call.axis(y, -2)
    if x.at(0).ndim == 1:
        vector = call.real(call.fixed(x, "the weights"))
        return squeezed(call, dense(call, transposed(call, y), vector[:, None]), -1)
    if x.at(0).ndim == 2 or y.from_right == 1:
        turned = Known.of([v.swapaxes(-1, -2) for v in x.variants])
        if isinstance(x, Scaled):
            turned = x.map(lambda v: v.swapaxes(-1, -2))
        return transposed(call, _by_weights(call, transposed(call, y), turned))
    rank = max(y.rank, x.at(0).ndim)
    place = Place(rank - y.from_right, y.place.outer, y.place.inner) if y.place else None
    weights = call.real(sample(call, x, place, rank, "the weights")) if place else call.real(x.at(0))
    return Flow(call.node(MatMul(), call.constant(weights, "weight"), y.node), place)


def squeezed(call: Call, x: Flow, axis: int) -> Flow:
    """Drop an axis of length 1 of the source."""
    at = call.axis(x, axis)
    shape = tuple(n for i, n in enumerate(x.node.shape) if i != at)
    position = call.position(axis, x.rank)
    place = None
    if x.place is not None:
        place = Place(x.place.axis - (position < x.place.axis), x.place.outer, x.place.inner)
    return Flow(call.node(Reshape(shape), x.node), place, x.dtype)


def _computed(call: Call, x: Flow, y: Flow) -> Flow:
    """Multiply two computed tensors; the batch has to be among the axes before the matrices."""
    if x.place is None or y.place is None:
        return Flow(call.node(MatMul(), x.node, y.node), None)
    if x.rank == y.rank == 2 and x.place == y.place == Place(0):
        raise call.refuse("it multiplies samples with each other", "samples are independent")
    if y.rank == 1 or x.rank == 1:
        raise call.refuse("a vector along the batch is multiplied", "give it an axis for the batch")
    if call.free(x) and call.free(y) and x.rank == y.rank:
        return Flow(call.node(MatMul(), x.node, y.node), x.place)
    for value in (x, y):
        if value.from_right < 3:
            raise call.refuse(f"the batch of {call.shape(value)} is an axis of a matrix", "keep axis 0 the batch")
    aligned = (x.from_right, x.place.outer, x.place.inner) == (y.from_right, y.place.outer, y.place.inner)
    if not aligned:
        what = f"the product of {call.shape(x)} and {call.shape(y)} mixes samples"
        raise call.refuse(what, "give both operands the same number of axes, the batch first")
    place = Place(max(x.rank, y.rank) - x.from_right, x.place.outer, x.place.inner)
    return Flow(call.node(MatMul(), x.node, y.node), place)


@operator("matmul", "mm", "bmm")
def matmul(call: Call) -> Results:
    """The matrix product."""
    other = "mat2" if "mat2" in call.arguments else "other"
    return product_of(call, call.value("self"), call.value(other))


@operator("mv", "dot", "vdot", "inner")
def vector(call: Call) -> Results:
    """Products with a constant vector."""
    key = next(k for k in ("vec", "tensor", "other") if k in call.arguments)
    return product_of(call, call.value("self"), call.value(key))


@operator("addmm", "baddbmm")
def addmm(call: Call) -> Results:
    """``beta * c + alpha * a @ b``."""
    keys = ("mat1", "mat2") if call.op == "addmm" else ("batch1", "batch2")
    c, a, b = call.value("self"), call.value(keys[0]), call.value(keys[1])
    alpha, beta = call.number("alpha", 1), call.number("beta", 1)
    if call.op == "addmm" and isinstance(a, Flow) and isinstance(b, Known) and isinstance(c, Known):
        return _affine(call, call.as_flow(a, keys[0]), b, _times(call, c, beta), alpha)
    product = product_of(call, a, b)
    product = product.on(scaled(call, product.node, alpha))
    if isinstance(c, Flow) and beta != 0.0:
        return added(call, product, c.on(scaled(call, call.as_flow(c, "self").node, beta)))
    known = _times(call, c, beta) if isinstance(c, Known) else None
    return product if known is None else added(call, product, known)


def _affine(call: Call, x: Flow, w: Known, bias: Known | None, alpha: float) -> Flow:
    """``alpha * x @ w + bias`` with constants."""
    weights = call.weights(w, "weight")
    if alpha != 1.0:
        weights = call.constant((call.real(call.fixed(w, "weight")).astype(np.float64) * alpha), "weight")
    small = bias is not None and len(bias.variants) == 1 and bias.at(0).ndim <= 2
    if small and bias is not None and (bias.at(0).ndim < 2 or bias.at(0).shape[0] == 1):
        units = weights.shape[-1:]
        return dense(call, x, weights, np.broadcast_to(call.real(bias.at(0)).reshape(-1), units))
    product = dense(call, x, weights)
    return product if bias is None else added(call, product, bias)


def _times(call: Call, x: Known, factor: float) -> Known | None:
    """``x * factor``; None where that is nothing (PyTorch then does not look at x)."""
    if factor == 0.0:
        return None
    return x if factor == 1.0 else Known.of([call.real(v) * np.float32(factor) for v in x.variants])


@operator("einsum")
def einsum(call: Call) -> Results:
    """A sum over products along named axes, of one or two tensors, as one matrix product."""
    from .einsum import contracted

    return contracted(call)


__all__ = ["added", "dense", "permuted", "product_of", "squeezed", "transposed"]
