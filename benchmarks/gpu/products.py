"""Matrix products of 8-bit integers on a graphics processor: a dense layer of ours, and torch's."""

from typing import Any

import numpy as np

from gatewright.graph import Array, Fixed, Graph, Node
from gatewright.graph.ops import Constant, Dense, Input, Output, Quantize

from ..cpu.engines.base import Run, Skip
from .engines import Ready, ours


def product(rows: int, columns: int, steps: int, board: str, *, processors: bool) -> Ready:
    """A dense layer [rows, steps] by [steps, columns], its sums brought back to 8 bits. Raises Skip."""
    weights = np.random.default_rng(0).integers(-128, 128, (steps, columns))
    byte = Fixed(8, 8)
    x = Node(Input("x", (rows, steps), byte))
    total = Node(Dense(), (x, Node(Constant(Array(weights), byte))))
    graph = Graph((x,), (Node(Output("y"), (Node(Quantize(Fixed(8, 20)), (total,)),)),))
    return ours(graph, board, processors=processors)


def torch_products(rows: int, columns: int, steps: int) -> dict[str, Run]:
    """Give products of int8 (with 32-bit sums) and of fp16 by torch on CUDA. Raises Skip where there is none."""
    try:
        import torch
    except ModuleNotFoundError:
        raise Skip("not installed: torch") from None
    if not torch.cuda.is_available():
        raise Skip("torch has no device for CUDA here")
    a = torch.randint(-128, 127, (rows, steps), dtype=torch.int8, device="cuda")
    b = torch.randint(-128, 127, (columns, steps), dtype=torch.int8, device="cuda").t()
    floats = a.half(), b.half()

    def run(f: Any, *operands: Any) -> Run:
        def once() -> None:
            f(*operands)
            torch.cuda.synchronize()

        return once

    found = {"torch.matmul fp16": run(torch.matmul, *floats)}
    if rows > 16 and columns % 8 == 0 and steps % 8 == 0:
        found["torch._int_mm"] = run(torch._int_mm, a, b)
    return found
