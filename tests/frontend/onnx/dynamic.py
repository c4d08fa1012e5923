"""Models that quantize by the range that their data have at run time, written operator by operator."""

from typing import Any

import numpy as np
import onnx

from gatewright.graph import NDArray

from .quantized import Builder, reference

MICROSOFT = "com.microsoft"


def dynamic(b: Builder, x: str) -> tuple[str, str, str]:
    """The integers of a tensor, its scale and its zero point."""
    q = b.op("DynamicQuantizeLinear", x, outputs=3)
    return (q, *b.nodes[-1].output[1:])


def product(b: Builder, op: str, x: str, w: NDArray, scale: Any, zero: Any, dtype: str, **more: Any) -> str:
    """What ONNX Runtime writes for a layer: an integer product, and its scales behind it."""
    q, x_scale, x_zero = dynamic(b, x)
    y = b.op(op, q, b.const(w, dtype), x_zero, b.const(zero, dtype), **more)
    return b.op("Mul", b.op("Cast", y, to=1), b.op("Mul", x_scale, b.const(scale)))


def each(model: onnx.ModelProto, *xs: NDArray, run: Any = reference) -> list[NDArray]:
    """What an evaluator gives for each sample alone; tensors without a batch axis are stacked."""
    rows = [run(model, *(x[k : k + 1] for x in xs)) for k in range(len(xs[0]))]
    return [np.concatenate(r) if r[0].ndim else np.stack(r) for r in zip(*rows, strict=True)]


def samples(seed: int, *shape: int) -> NDArray:
    """Samples of very different ranges: positive ones, negative ones, zeros, one number, tiny and large."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape) * 10.0 ** rng.uniform(-3, 3, (shape[0], *(1,) * (len(shape) - 1)))
    x[0], x[1], x[2] = np.abs(x[0]), -np.abs(x[1]), 0
    x[3] = rng.normal()
    x[4] = rng.integers(-2, 2, x[4].shape) * 0.5
    return x.astype(np.float32)
