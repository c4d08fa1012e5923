"""Compute what depends on no input."""

from dataclasses import replace

import numpy as np

from ...graph import Array, Float, Graph, Node, UnsupportedError
from ...graph.arrays import NDArray
from ...graph.evaluate.kernel import Value, run
from ...graph.formats import BFLOAT, HALF
from ...graph.ops import Constant, Input, Output
from ..rewrite import again, rebuild

LOWEST_FLOAT = np.finfo(np.float32).min
LOWEST = {HALF: np.float32(np.finfo(np.float16).min), BFLOAT: np.float32(-(2 - 2**-7) * 2.0**127)}
"""The lowest numbers of formats of 16 bits."""


def fold_constants(graph: Graph) -> Graph:
    """Replace every operation on constants by its result.

    %1 = constant() : 3x4 float32
    %2 = transpose[axes=(1, 0)](%1) : 4x3 float32      ->      %1 = constant() : 4x3 float32

    Minus infinity, which masks hold, becomes the lowest number of its format, and a note says so.
    """
    notes: dict[str, None] = {}
    made = rebuild(graph, lambda old, inputs: _fold(old, inputs, notes))
    return replace(made, notes=(*made.notes, *(note for note in notes if note not in made.notes))) if notes else made


def _fold(old: Node, inputs: tuple[Node, ...], notes: dict[str, None]) -> Node:
    node = again(old, inputs)
    if (
        not inputs
        or isinstance(node.op, (Input, Output, Constant))
        or not all(isinstance(i.op, Constant) for i in inputs)
    ):
        return node
    operands = [Value(i.type, np.asarray(i.op.value.data)[None]) for i in inputs if isinstance(i.op, Constant)]
    result = run(node.op, node.type, *operands)[0]
    if isinstance(node.type.format, Float) and np.isinf(result).any():
        result = _finite(result, node.type.format, node.where)
        notes[f"{node.where}: minus infinity is taken as the lowest number of {node.type.format}"] = None
    return Node(Constant(Array(result), node.type.format), (), node.where)


def _finite(values: NDArray, format: Float, where: str) -> NDArray:
    """Replace minus infinity. Raises UnsupportedError for plus infinity."""
    if np.isposinf(values).any():
        hint = "no tensor holds infinities: use a large number where the model is made"
        raise UnsupportedError("a constant is plus infinity", where=where, hint=hint)
    return np.where(np.isneginf(values), LOWEST.get(format, LOWEST_FLOAT), values).astype(values.dtype)
