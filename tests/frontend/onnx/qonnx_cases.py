"""Models of single QONNX operators with every attribute; what qonnx answers is recorded by tests/record."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import onnx

from gatewright.graph import NDArray

from .quantized import Builder

GENERAL = "qonnx.custom_op.general"
LAST = "qonnx.custom_op.channels_last"
MODES = ["ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "round"]
BATCH = 1


def samples(*shape: int, scale: float = 0.25, seed: int = 0) -> NDArray:
    """Values on and beside the ties of a scale."""
    rng = np.random.default_rng(seed)
    ties = rng.integers(-60, 60, shape) * scale / 2
    return np.where(rng.random(shape) < 0.4, ties, rng.normal(size=shape) * scale * 20).astype(np.float32)


def _one(build: Callable[[Builder, str], str], shape: tuple[int, ...]) -> onnx.ModelProto:
    b = Builder(20)
    y = build(b, b.input(shape, batch=BATCH))
    model = b.model(y)
    dims = model.graph.output[0].type.tensor_type.shape
    for n in (BATCH, *shape):
        dims.dim.add().dim_value = n
    model.ir_version = 9
    return model


def quant(b: Builder, x: str, scale: Any, zero: Any = 0.0, bits: Any = 4.0, domain: str = GENERAL, **more: Any) -> str:
    attributes = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"} | more
    return b.op("Quant", x, b.const(scale), b.const(zero), b.const(bits), domain=domain, **attributes)


def quantizers() -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    for mode, signed, narrow, bits in product(MODES, (0, 1), (0, 1), (2.0, 4.0, 8.0)):
        more = {"signed": signed, "narrow": narrow, "rounding_mode": mode}
        yield f"{mode}-{signed}-{narrow}-{bits}", {"scale": 0.25, "bits": bits} | more, (40,)
    for mode, zero, signed in product(MODES, (1.0, -3.0, 0.5), (0, 1)):
        yield (
            f"{mode}-zero-{zero}-{signed}",
            {"scale": 0.25, "zero": zero, "signed": signed, "rounding_mode": mode},
            (40,),
        )
    for bits, signed, narrow in product((1.0, 2.5, 3.3), (0, 1), (0, 1)):
        yield f"bits-{bits}-{signed}-{narrow}", {"scale": 0.25, "bits": bits, "signed": signed, "narrow": narrow}, (40,)
    yield "scale-0.3", {"scale": 0.3}, (40,)
    channels = np.array([0.25, 0.5, 0.3], np.float32).reshape(1, 3, 1)
    yield "by-channel", {"scale": channels}, (3, 9)
    yield "powers-by-channel", {"scale": channels * 0 + np.float32([[[0.25], [0.5], [2.0]]])}, (3, 9)
    yield "all-by-channel", {"scale": channels, "zero": np.float32([[[1], [0], [-2]]])}, (3, 9)
    yield "by-channel-narrow", {"scale": channels, "narrow": 1, "bits": 3.0}, (3, 9)
    yield "bipolar-by-channel", {"scale": channels, "bits": 1.0}, (3, 9)
    yield "bipolar-zero", {"scale": 0.25, "bits": 1.0, "zero": 2.0}, (40,)


def others() -> Iterator[tuple[str, onnx.ModelProto, NDArray]]:
    for name, scale in (("one", np.float32(0.7)), ("channels", np.float32([[[0.5], [-0.25], [1.5]]]))):
        model = _one(lambda b, x, s=scale: b.op("BipolarQuant", x, b.const(s), domain=GENERAL), (3, 9))
        yield f"bipolar-{name}", model, samples(BATCH, 3, 9)
    for mode, bits in product(("FLOOR", "ROUND", "CEIL"), (3.0, 5.0)):
        yield f"trunc1-{mode}-{bits}", _one(lambda b, x, m=mode, n=bits: _trunc1(b, x, m, n), (40,)), samples(BATCH, 40)
    for mode, signed, narrow, scale in product(("FLOOR", "ROUND"), (0, 1), (0, 1), (1.0, 2.0)):
        model = _one(lambda b, x, a=(mode, signed, narrow, scale): _trunc2(b, x, *a), (40,))
        model.opset_import[-1].version = 2
        yield f"trunc2-{mode}-{signed}-{narrow}-{scale}", model, samples(BATCH, 40)
    for layout, shape, rows, scale, bias in (
        ("NCHW", (3, 4, 4), 3, 1.0, 0.0), ("NCHW", (3, 4, 4), 1, 0.5, -2.0), ("NHWC", (4, 4, 3), 3, 0.3, 0.0),
        ("", (3, 4, 4), 3, 2.0, -4.0), ("NC", (6,), 6, 1.0, -3.0), ("", (6,), 1, 0.1, 0.7),
    ):  # fmt: skip
        edges = np.sort(samples(rows, 7, seed=2), axis=1)[:, :: 1 if layout else -1]
        more = {"out_scale": scale, "out_bias": bias, "out_dtype": "INT4"} | ({"data_layout": layout} if layout else {})
        model = _one(lambda b, x, e=edges, m=more: b.op("MultiThreshold", x, b.const(e), domain=GENERAL, **m), shape)
        yield f"thresholds-{layout}-{rows}-{scale}-{bias}", model, samples(BATCH, *shape)
    yield from channels_last()


def _trunc1(b: Builder, x: str, mode: str, bits: float) -> str:
    x = quant(b, x, 0.25, bits=8.0)
    parts = [b.const(np.float32(v)) for v in (0.25, 0.0, 8.0, bits)]
    return b.op("Trunc", x, *parts, domain=GENERAL, rounding_mode=mode)


def _trunc2(b: Builder, x: str, mode: str, signed: int, narrow: int, scale: float) -> str:
    x = quant(b, x, 0.25, bits=8.0)
    parts = [b.const(np.float32(v)) for v in (0.25, 0.0, 8.0, scale, 4.0)]
    return b.op("Trunc", x, *parts, domain=GENERAL, rounding_mode=mode, signed=signed, narrow=narrow)


def channels_last() -> Iterator[tuple[str, onnx.ModelProto, NDArray]]:
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(4, 3, 2, 3))

    def conv(b: Builder, x: str) -> str:
        w = quant(b, b.const(weights), np.float32(0.11), bits=4.0, narrow=1)
        return b.op(
            "Conv",
            quant(b, x, 0.25, bits=8.0),
            w,
            domain=LAST,
            kernel_shape=[3, 2],
            pads=[1, 0, 1, 1],
            strides=[1, 1],
            group=1,
            dilations=[1, 1],
        )

    def norm(b: Builder, x: str) -> str:
        parts = [b.const(np.abs(rng.normal(size=3)) + 0.5) for _ in range(4)]
        return b.op("BatchNormalization", x, *parts, domain=LAST, epsilon=1e-5, momentum=0.9)

    def pool(b: Builder, x: str) -> str:
        return b.op("MaxPool", x, domain=LAST, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0])

    shapes = {"conv": (6, 5, 4), "norm": (6, 5, 3), "pool": (3, 2, 3)}
    for name, build in (("conv", conv), ("norm", norm), ("pool", pool)):
        b = Builder(20)
        y = build(b, b.input((6, 5, 3), batch=BATCH))
        model = b.model(y)
        for n in (BATCH, *shapes[name]):
            model.graph.output[0].type.tensor_type.shape.dim.add().dim_value = n
        if name == "conv":  # qonnx asks for the shapes of the operands
            known = zip(model.graph.node[-1].input, ((BATCH, 6, 5, 3), weights.shape), strict=True)
            model.graph.value_info.extend(onnx.helper.make_tensor_value_info(n, 1, list(s)) for n, s in known)
        next(
            o for o in model.opset_import if o.domain == LAST
        ).version = 14  # qonnx runs ONNX's operator of this version
        model.ir_version = 9
        yield f"last-{name}", model, samples(BATCH, 6, 5, 3)


def cases() -> Iterator[tuple[str, onnx.ModelProto, NDArray]]:
    """Every case: its name, the model, the input."""
    for name, more, shape in quantizers():
        yield f"quant-{name}", _one(lambda b, x, m=more: quant(b, x, **m), shape), samples(BATCH, *shape)
    yield from others()
