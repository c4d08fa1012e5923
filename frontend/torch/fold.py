"""Operators whose arguments are all known are computed at once: shapes, masks, positions, constants.

What is listed here is computed by numpy on the types that the program gives, whole numbers and truth values too. Any
other operator on constants is imported as nodes, and these are evaluated.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ...graph import NDArray, Node, values_of
from ...graph.evaluate.kernel import Value as Operand
from ...graph.evaluate.kernel import run
from ...graph.formats import BFLOAT
from .registry import Call
from .values import MAX_ELEMENTS, Absent, Flow, Known, Scaled, Value

Folder = Callable[[Call], Sequence[Known]]
FOLDERS: dict[str, Folder] = {}
MOVES = {
    "permute", "transpose", "t", "numpy_T", "unsqueeze", "squeeze", "flatten", "clone", "detach", "alias", "contiguous",
    "lift_fresh_copy", "lift_fresh", "flip", "view", "reshape", "_unsafe_view", "select",
}  # fmt: skip
"""Operators that only move elements: integers with scales keep these."""


def evaluated(results: Sequence[Value], call: Call) -> list[Value]:
    """Compute the nodes that a folded operator gave."""
    values: list[Value] = []
    for i, result in enumerate(results):
        if isinstance(result, Flow):
            dtype = call.dtypes[i] if i < len(call.dtypes) else "float32"
            real = values_of(result.node, _computed(result.node, {})[0])
            values.append(Known((_cast(call, real, dtype),), dtype))
        else:
            values.append(result)
    return values


def _computed(node: Node, done: dict[Node, NDArray]) -> NDArray:
    if node not in done:
        operands = [Operand(i.type, _computed(i, done)) for i in node.inputs]
        done[node] = np.asarray(run(node.op, node.type, *operands))
    return done[node]


def _check_size(call: Call) -> None:
    for shape in call.shapes:
        if prod(call.batch.lengths[0] if n is None else n for n in shape) > MAX_ELEMENTS:
            raise call.refuse(f"a constant of shape {shape}", f"at most {MAX_ELEMENTS:,} elements")


def computed(call: Call, function: Callable[..., Any], *values: Flow | Known | None) -> list[Known]:
    """Apply a numpy function to known tensors, once for each length of the batch where they depend on it."""
    _check_size(call)
    if call.op in MOVES and len(values) == 1 and isinstance(values[0], Scaled):
        return [values[0].map(function)]
    knowns = [v for v in values if isinstance(v, Known)]
    count = max((len(k.variants) for k in knowns), default=1)
    dtype = call.dtypes[0] if call.dtypes else "int64"
    results = []
    for i in range(count):
        try:
            with np.errstate(all="ignore"):
                result = np.asarray(function(*(v.at(i) if isinstance(v, Known) else None for v in values)))
        except (ValueError, IndexError, TypeError, ZeroDivisionError, OverflowError, MemoryError) as error:
            raise call.misfit(f"cannot be computed from its constant arguments: {error}") from None
        results.append(result if str(result.dtype) == dtype else _cast(call, result, dtype))
    return [Known.of(results, dtype)]


def _cast(call: Call, array: NDArray, dtype: str) -> NDArray:
    if dtype == "bfloat16":  # numpy has none: float32 that has its values
        return BFLOAT.rounded(array)
    if dtype not in ("float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"):
        raise call.refuse(f"a constant of type {dtype}", "use float32 and whole numbers")
    with np.errstate(all="ignore"):
        return array.astype(dtype)


def _register(function: Callable[..., Any], *keys: str) -> Folder:
    return lambda call: computed(call, function, *(call.value(k) for k in keys))


def _truncated(a: NDArray, b: NDArray) -> NDArray:
    return np.trunc(np.true_divide(a, b))


UNARY: dict[str, Callable[..., Any]] = {
    "neg": np.negative, "abs": np.abs, "logical_not": np.logical_not, "sign": np.sign, "floor": np.floor,
    "ceil": np.ceil, "trunc": np.trunc, "round": np.rint, "isnan": np.isnan, "isinf": np.isinf,
    "bitwise_not": np.invert, "clone": np.asarray, "detach": np.asarray, "alias": np.asarray,
    "lift_fresh_copy": np.asarray, "contiguous": np.asarray, "_to_copy": np.asarray, "to": np.asarray,
    "lift_fresh": np.asarray, "t": np.transpose, "numpy_T": np.transpose, "square": np.square,
}  # fmt: skip
BINARY: dict[str, Callable[..., Any]] = {
    "mul": np.multiply, "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
    "ge": np.greater_equal, "maximum": np.maximum, "minimum": np.minimum, "logical_and": np.logical_and,
    "logical_or": np.logical_or, "logical_xor": np.logical_xor, "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or, "bitwise_xor": np.bitwise_xor, "remainder": np.mod, "fmod": np.fmod,
    "floor_divide": np.floor_divide, "true_divide": np.true_divide, "atan2": np.arctan2,
}  # fmt: skip
LAYOUT = (
    "memory_format",
    "layout",
    "device",
    "pin_memory",
    "non_blocking",
    "copy",
    "implicit",
    "cudnn_enabled",
    "cudnn_enable",
)


def without_layout(call: Call) -> None:
    """Count as read what says where and how memory lies."""
    call.arguments.ignore(*LAYOUT, why="where and how the numbers lie in memory changes none of them")


def _unary(function: Callable[..., Any]) -> Folder:
    def fold(call: Call) -> list[Known]:
        without_layout(call)
        call.arguments.ignore("dtype", why="the result's type is the one that the program gives")
        return computed(call, function, call.value("self"))

    return fold


for _name, _function in UNARY.items():
    FOLDERS[_name] = _unary(_function)
for _name, _function in BINARY.items():
    FOLDERS[_name] = _register(_function, "self", "other")


def _scaled(function: Callable[..., Any], *, reverse: bool = False) -> Folder:
    def fold(call: Call) -> list[Known]:
        x, y, alpha = call.value("self"), call.value("other"), call.number("alpha", 1)
        factor = int(alpha) if float(alpha).is_integer() else alpha
        if reverse:
            return computed(call, lambda a, b: function(b, a * factor), x, y)
        return computed(call, lambda a, b: function(a, b * factor), x, y)

    return fold


FOLDERS["add"] = _scaled(np.add)
FOLDERS["sub"] = _scaled(np.subtract)
FOLDERS["rsub"] = _scaled(np.subtract, reverse=True)


def folder(*names: str) -> Callable[[Folder], Folder]:
    """Register how operators of these names are computed from constants."""

    def register(fold: Folder) -> Folder:
        for name in names:
            assert name not in FOLDERS, name
            FOLDERS[name] = fold
        return fold

    return register


@folder("div")
def _div(call: Call) -> Sequence[Known]:
    mode = call.arguments.take("rounding_mode", None)
    functions: dict[str | None, Callable[..., Any]] = {
        None: np.true_divide,
        "floor": np.floor_divide,
        "trunc": _truncated,
    }
    if mode not in functions:
        raise call.arguments.refusal("rounding_mode", mode, "floor, trunc or none")
    return computed(call, functions[mode], call.value("self"), call.value("other"))


@folder("pow")
def _pow(call: Call) -> Sequence[Known]:
    return computed(call, np.power, call.value("self"), call.value("exponent"))


@folder("view", "reshape", "_unsafe_view")
def _reshape(call: Call) -> Sequence[Known]:
    key = "size" if "size" in call.arguments else "shape"
    return _by_size(call, key, lambda v, size: v.reshape(size))


def _by_size(call: Call, key: str, function: Callable[[NDArray, tuple[int, ...]], NDArray]) -> Sequence[Known]:
    x = call.value("self")
    sizes = call.sizes(key)
    without_layout(call)
    assert isinstance(x, Known)
    same = len(set(sizes)) == 1 and len(x.variants) == 1
    if same and isinstance(x, Scaled):
        return computed(call, lambda v: function(v, sizes[0]), x)
    arrays = []
    for i in range(1 if same else len(sizes)):
        arrays += [computed(call, lambda v, i=i: function(v, sizes[i]), Known((x.at(i),), x.dtype))[0].at(0)]
    return [Known.of(arrays, call.dtypes[0])]


@folder("expand", "broadcast_to")
def _expand(call: Call) -> Sequence[Known]:
    def expand(v: NDArray, size: tuple[int, ...]) -> NDArray:
        lead = len(size) - v.ndim
        return np.broadcast_to(v, tuple(v.shape[i - lead] if n == -1 else n for i, n in enumerate(size)))

    return _by_size(call, "size", expand)


@folder("repeat")
def _repeat(call: Call) -> Sequence[Known]:
    return _by_size(call, "repeats", np.tile)


@folder("permute")
def _permute(call: Call) -> Sequence[Known]:
    dims = call.arguments.take("dims")
    return computed(call, lambda v: v.transpose(dims), call.value("self"))


@folder("transpose")
def _transpose(call: Call) -> Sequence[Known]:
    a, b = call.integer("dim0"), call.integer("dim1")
    return computed(call, lambda v: v.swapaxes(a, b) if v.ndim else v, call.value("self"))


@folder("unsqueeze")
def _unsqueeze(call: Call) -> Sequence[Known]:
    dim = call.integer("dim")
    return computed(call, lambda v: np.expand_dims(v, dim), call.value("self"))


@folder("squeeze")
def _squeeze(call: Call) -> Sequence[Known]:
    dims = call.arguments.take("dim", None)
    wanted = [dims] if isinstance(dims, int) else dims

    def squeeze(v: NDArray) -> NDArray:
        axes = range(v.ndim) if wanted is None else [a % max(v.ndim, 1) for a in wanted]
        return v.reshape([n for i, n in enumerate(v.shape) if n != 1 or i not in axes])

    return computed(call, squeeze, call.value("self"))


@folder("flatten")
def _flatten(call: Call) -> Sequence[Known]:
    start, end = call.integer("start_dim", 0), call.integer("end_dim", -1)

    def flatten(v: NDArray) -> NDArray:
        a, b = (i % max(v.ndim, 1) for i in (start, end))
        return v.reshape((*v.shape[:a], prod(v.shape[a : b + 1]), *v.shape[b + 1 :]))

    return computed(call, flatten, call.value("self"))


@folder("slice")
def _slice(call: Call) -> Sequence[Known]:
    x, dim, step = call.value("self"), call.integer("dim", 0), call.integer("step", 1)
    starts, ends = call.count("start", None), call.count("end", None)
    assert isinstance(x, Known)

    def cut(v: NDArray, i: int) -> NDArray:
        at: list[slice] = [slice(None)] * v.ndim
        at[dim] = slice(starts[i], ends[i], step)
        return v[tuple(at)]

    same = len(set(starts)) == len(set(ends)) == len(x.variants) == 1
    count = 1 if same else len(starts)
    arrays = [computed(call, lambda v, i=i: cut(v, i), Known((x.at(i),), x.dtype))[0].at(0) for i in range(count)]
    return [Known.of(arrays, call.dtypes[0])]


@folder("select")
def _select(call: Call) -> Sequence[Known]:
    dim, index = call.integer("dim"), call.integer("index")
    return computed(call, lambda v: v.take(index, axis=dim), call.value("self"))


@folder("cat", "stack")
def _cat(call: Call) -> Sequence[Known]:
    join, dim = (np.concatenate if call.op == "cat" else np.stack), call.integer("dim", 0)
    return computed(call, lambda *parts: join(parts, axis=dim), *call.tensors("tensors"))


@folder("where")
def _where(call: Call) -> Sequence[Known]:
    return computed(call, np.where, call.value("condition"), call.value("self"), call.value("other"))


@folder("masked_fill")
def _masked_fill(call: Call) -> Sequence[Known]:
    x, mask, value = call.value("self"), call.value("mask"), call.value("value")
    return computed(call, lambda v, m, f: np.where(m, f.astype(v.dtype), v), x, mask, value)


@folder("tril", "triu")
def _triangle(call: Call) -> Sequence[Known]:
    k, function = call.integer("diagonal", 0), (np.tril if call.op == "tril" else np.triu)
    return computed(call, lambda v: function(v, k), call.value("self"))


@folder("cumsum")
def _cumsum(call: Call) -> Sequence[Known]:
    dim = call.integer("dim")
    call.arguments.ignore("dtype", why="the result's type is the one that the program gives")
    return computed(call, lambda v: np.cumsum(v, axis=dim), call.value("self"))


@folder("flip")
def _flip(call: Call) -> Sequence[Known]:
    dims = call.arguments.take("dims")
    return computed(call, lambda v: np.flip(v, dims), call.value("self"))


@folder("clamp")
def _clamp(call: Call) -> Sequence[Known]:
    return computed(call, np.clip, call.value("self"), call.optional("min"), call.optional("max"))


@folder("any", "all")
def _any(call: Call) -> Sequence[Known]:
    dim, keep = call.arguments.take("dim", None), call.arguments.boolean("keepdim", False)
    function = np.any if call.op == "any" else np.all
    axes = tuple(dim) if isinstance(dim, list) else dim
    return computed(call, lambda v: function(v, axis=axes, keepdims=keep), call.value("self"))


@folder("index")
def _index(call: Call) -> Sequence[Known]:
    indices = [None if i is None else call.tensor(i, "indices") for i in call.arguments.take("indices")]

    def pick(v: NDArray, *at: NDArray | None) -> NDArray:
        return np.asarray(v[tuple(slice(None) if i is None else i for i in at)])

    return computed(call, pick, call.value("self"), *indices)


@folder("arange")
def _arange(call: Call) -> Sequence[Known]:
    starts, ends, steps = call.count("start", 0), call.count("end"), call.count("step", 1)
    call.arguments.ignore("dtype", why="the result's type is the one that the program gives")
    without_layout(call)
    triples = list(zip(starts, ends, steps, strict=True))
    if any(not t[2] or abs((t[1] - t[0]) / t[2]) > MAX_ELEMENTS for t in triples):
        raise call.misfit(f"from {starts[0]} to {ends[0]} by {steps[0]}")
    arrays = [computed(call, lambda t=t: np.arange(*t))[0].at(0) for t in dict.fromkeys(triples)]
    return [Known.of(arrays, call.dtypes[0])]


@folder("linspace")
def _linspace(call: Call) -> Sequence[Known]:
    start, end, steps = call.number("start"), call.number("end"), call.integer("steps")
    call.arguments.ignore("dtype", why="the result's type is the one that the program gives")
    without_layout(call)
    if not 0 < steps <= MAX_ELEMENTS:
        raise call.arguments.refusal("steps", steps, f"1 to {MAX_ELEMENTS:,}")
    return computed(call, lambda: np.linspace(start, end, steps))


@folder("eye")
def _eye(call: Call) -> Sequence[Known]:
    rows = call.integer("n")
    columns = call.integer("m", rows)
    call.arguments.ignore("dtype", why="the result's type is the one that the program gives")
    without_layout(call)
    if not 0 < rows * columns <= MAX_ELEMENTS:
        raise call.misfit(f"a matrix of {rows} x {columns}")
    return computed(call, lambda: np.eye(rows, columns))


@folder("full", "zeros", "ones", "scalar_tensor")
def _full(call: Call) -> Sequence[Known]:
    sizes = [()] if call.op == "scalar_tensor" else call.sizes("size")
    keys = {"full": "fill_value", "scalar_tensor": "s"}
    value = call.value(keys[call.op]) if call.op in keys else Known((np.asarray(float(call.op == "ones")),))
    call.arguments.ignore("dtype", why="the result's type is the one that the program gives")
    without_layout(call)
    return [filled(call, sizes, value)]


def filled(call: Call, sizes: Sequence[tuple[int, ...]], value: Flow | Known) -> Known:
    """Give a constant that is one number everywhere, without its memory: one shape for each length of the batch."""
    one = call.fixed(value, "the value").reshape(())
    dtype = call.dtypes[0] if call.dtypes else "float32"
    if any(min(s, default=1) < 0 or prod(s) > MAX_ELEMENTS * call.batch.lengths[0] for s in sizes):
        raise call.misfit(f"a constant of shape {sizes[0]}")
    return Known.of([np.broadcast_to(_cast(call, one, dtype), s) for s in dict.fromkeys(sizes)], dtype)


__all__ = ["FOLDERS", "Absent", "computed", "evaluated", "filled", "without_layout"]
