"""What is different about two operations that should do the same, in words."""

from collections.abc import Mapping
from dataclasses import fields

import numpy as np

from ...graph import Graph, NDArray, Node, op_name
from ...graph.arrays import as_array
from ...graph.ops import Constant, Input, MultiplyShift, Quantize
from .align import operands
from .sides import Side

SAME = 1e-6
SKIPPED = {"inserted", "name", "value", "axes"}


def reasons(a: Node, b: Node, left: Side, right: Side, stands_for: Mapping[Node, Node]) -> tuple[str, ...]:
    """Compare attributes, constants, and the order of the operands of two nodes."""
    if type(a.op) is not type(b.op):
        return ()
    told = [*_attributes(a, b), *_order(a, b, stands_for)]
    mine, theirs = ([i for i in n.inputs if isinstance(i.op, Constant)] for n in (a, b))
    if len(mine) == len(theirs):
        for k, (i, j) in enumerate(zip(mine, theirs, strict=True)):
            name = _named(b, j, k)
            told += [f"{name}: {text}" for text in _constants(i, j, left.real(i)[0], right.real(j)[0])]
    return tuple(told)


def clipped(b: Node, reference: NDArray) -> tuple[str, ...]:
    """Say how much of what A has is beyond the format of a quantizer of B."""
    if not isinstance(b.op, (Quantize, MultiplyShift, Input)) or not b.type.is_integer:
        return ()
    format = b.type.quantized
    low, high = (np.asarray(format.centre(v), np.float64) * as_array(format.scale).astype(float) for v in format.bounds)
    unit = as_array(format.scale).astype(float)
    share = float(np.mean((reference < low - unit) | (reference > high + unit)))
    return (f"{share:.2%} of A's values are beyond {low.min():g} .. {high.max():g}",) if share else ()


def _named(b: Node, constant: Node, k: int) -> str:
    if op_name(b.op) in ("dense", "conv", "conv_transpose"):
        return "weights" if k == 0 else "bias"
    return constant.where or f"constant {k}"


def _attributes(a: Node, b: Node) -> list[str]:
    """Fields that differ; formats only where an operation states one."""
    told = []
    for f in fields(a.op):
        mine, theirs = getattr(a.op, f.name), getattr(b.op, f.name)
        if f.name in SKIPPED or mine == theirs:
            continue
        if f.name == "format" and not (isinstance(b.op, (Input, Quantize, MultiplyShift)) and a.type.is_integer):
            continue
        if isinstance(mine, Graph):
            told += _bodies(mine, theirs)
        else:
            told.append(f"{f.name} {theirs} instead of {mine}")
    return told


def _bodies(a: Graph, b: Graph) -> list[str]:
    """Name the first step that two bodies, both of integers or both of floats, do differently."""
    if a.is_integer != b.is_integer:
        return []
    steps = zip(str(a).splitlines(), str(b).splitlines(), strict=False)
    first = next(((x, y) for x, y in steps if x != y), None)
    return [f"in the body: {first[1].strip()}; in A: {first[0].strip()}"] if first else ["bodies of different length"]


def _order(a: Node, b: Node, stands_for: Mapping[Node, Node]) -> list[str]:
    mine, theirs = operands(a), [stands_for.get(i, i) for i in operands(b)]
    swapped = len(mine) > 1 and list(mine) != theirs and sorted(map(id, mine)) == sorted(map(id, theirs))
    return ["the operands stand in another order"] if swapped else []


def _constants(a: Node, b: Node, mine: NDArray, theirs: NDArray) -> list[str]:
    """Say how one constant differs from another: by a factor, in which channels; more than its unit explains."""
    if mine.shape != theirs.shape:
        return [f"shape {theirs.shape} instead of {mine.shape}"]
    units = [as_array(n.type.quantized.scale).astype(np.float64) for n in (a, b) if n.type.is_integer]
    both = len(units) == 2 or not units
    allowed = 0.0 if both else 0.51 * float(units[0].max())
    apart = np.abs(mine - theirs) > allowed + (0 if both else SAME * np.abs(mine))
    if not apart.any():
        return []
    channels = np.flatnonzero(apart.reshape(-1, apart.shape[-1]).any(axis=0)) if apart.ndim else np.zeros(1)
    if apart.ndim and len(channels) < apart.shape[-1]:
        few = ", ".join(map(str, channels[:4])) + (", ..." if len(channels) > 4 else "")
        place = f" in channel{'s' if len(channels) > 1 else ''} {few} of {apart.shape[-1]}"
    else:
        place = ""
    return [f"{apart.sum()} of {apart.size} differ{place}{_factor(mine[apart], theirs[apart])}"]


def _factor(mine: NDArray, theirs: NDArray) -> str:
    """Name one factor, or one difference, that explains all."""
    power = float(np.dot(mine, mine))
    if power > 0:
        factor = float(np.dot(mine, theirs) / power)
        if np.abs(theirs - factor * mine).max() <= 0.02 * np.abs(mine).max():
            return f", by a factor of {factor:.4g}"
    shift = theirs - mine
    if np.abs(shift - shift.mean()).max() <= 1e-6 * np.abs(shift).max():
        return f", by {shift.mean():.6g}"
    return ""
