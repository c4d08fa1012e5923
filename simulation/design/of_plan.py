"""From the hls4ml back end's plan to the design that the cost models see: padding and ports as hls4ml adds them."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from ...backends.hls4ml.layers import HlsType, Layer, Wire
from ...backends.hls4ml.options import Options
from ...backends.hls4ml.plan import Plan
from ...graph.ops import Scan
from .model import Design, LayerSpec, Type, family_of
from .weights import statistics

OPS = {
    "Dense": "dense", "Conv1D": "conv1d", "Conv2D": "conv2d", "ZeroPadding1D": "zeropad1d", "MaxPooling1D": "pool1d",
    "MaxPooling2D": "pool2d", "Activation": "activation", "Merge": "merge", "Reshape": "reshape", "Repack": "repack",
    "GatewrightKernel": "kernel",
}  # fmt: skip
"""Operations of ``LayerSpec`` by the kind of a layer of the plan."""

FUNCTIONS = {"MaxPooling1D": "max", "MaxPooling2D": "max"}


def of_plan(plan: Plan, options: Options, *, version: str = "") -> Design:
    """Describe what the back end writes with these options; ``version``: the tool's release, where it is known."""
    layers: list[LayerSpec] = []
    for layer in plan.layers:
        spec = _spec(layer, plan, options)
        if options.stream and layer.kind == "Reshape":  # hls4ml passes the stream on under its old name
            layers.append(replace(spec, op="reshape"))
        else:
            layers += _padded(spec) if options.stream and spec.op == "conv2d" else [spec]
    layers = _connected(layers) if options.stream else layers
    depths = _depths(layers, plan) | dict(options.fifo_depths) if options.stream else {}
    return Design(
        "stream" if options.stream else "parallel", tuple(layers), options.tool, version, options.part,
        family_of(options.part), float(options.clock_ns), None, plan.dataflow,
        tuple(w.name for w in plan.inputs), tuple(w.name for w in plan.outputs),
        tuple(w.shape for w in plan.inputs), depths,
    )  # fmt: skip


def _spec(layer: Layer, plan: Plan, options: Options) -> LayerSpec:
    chosen = plan.schedules.get(layer.name)
    sizes = {k: int(v) for k, v in layer.attributes.items() if isinstance(v, (int, np.integer))}
    if layer.product and layer.kind != "Dense":
        sizes |= {"mult_n_in": layer.product[0], "mult_n_out": layer.product[1], "n_partitions": _places(layer)}
    spec = LayerSpec(
        layer.name, OPS[layer.kind], _function(layer), _source(layer),
        tuple(w.name for w in layer.inputs), tuple(w.name for w in layer.outputs),
        tuple(w.shape for w in layer.inputs), tuple(w.shape for w in layer.outputs),
        sizes, _types(layer), chosen.strategy if chosen else "latency", chosen.reuse_factor if chosen else 1,
        {name: statistics(v) for name, v in _matrices(layer).items()},
    )  # fmt: skip
    return spec if layer.kernel is None else _of_kernel(spec, layer)


def _function(layer: Layer) -> str:
    if layer.kernel is not None:
        return layer.kernel.function
    return str(layer.attributes.get("activation") or layer.attributes.get("op") or FUNCTIONS.get(layer.kind, ""))


def _source(layer: Layer) -> str:
    node = layer.outputs[0].node
    return node.where if node is not None else ""


def _places(layer: Layer) -> int:
    return prod(layer.output.shape[:-1])


def _types(layer: Layer) -> dict[str, Type]:
    found = {"output": _type(layer.outputs[0].type), **{name: _type(t) for name, t in layer.types.items()}}
    for i, wire in enumerate(layer.inputs):
        found["input" if i == 0 else f"input{i}"] = _type(wire.type)
    return found


def _type(type: HlsType) -> Type:
    return Type(type.width, type.integer, type.signed)


def _matrices(layer: Layer) -> Mapping[str, Any]:
    """Constant matrices as integers, row by row: [n_in, n_out], biases [n_out]."""
    found: dict[str, Any] = {}
    for name, key in (("weight", "weight_data"), ("bias", "bias_data")):
        if key in layer.attributes:
            reals = np.asarray(layer.attributes[key], np.float64)
            found[name] = np.ldexp(reals, layer.types[name].fraction).astype(np.int64)
    return found


def _of_kernel(spec: LayerSpec, layer: Layer) -> LayerSpec:
    """Add what is known of a kernel of ours: numbers of its configuration, products, packs, constants."""
    kernel = layer.kernel
    assert kernel is not None
    sizes = {k: int(v) for k, v in kernel.config.items() if isinstance(v, (bool, int))}
    sizes |= {
        "products": kernel.products, "is_loop": int(kernel.is_loop), "n_out": prod(layer.outputs[0].shape),
        "in_packs": max((_packs(w) for w in layer.inputs), default=1), "out_packs": _packs(layer.outputs[0]),
    }  # fmt: skip
    tables, weights = {}, {}
    for name, numbers in kernel.constants.items():
        width = numbers.format.width
        assert isinstance(width, int)
        tables[name] = numbers.values.data.size * width
        weights[name] = statistics(np.asarray(numbers.values.data, np.int64), Type(width, width))
    kept = np.flatnonzero(kernel.constants["keep"].values.data) if kernel.function == "keep_packs" else ()
    return replace(
        spec, sizes=sizes | _recurrence(layer), tables=tables, weights=weights, kept=tuple(int(i) for i in kept)
    )


def _recurrence(layer: Layer) -> dict[str, int]:
    """How a scan reads and writes: steps; which operands (a bit each) come whole before the first step; whether the
    emissions leave after the last step, or only the last one does.
    """
    node = layer.outputs[0].node
    if node is None or not isinstance(node.op, Scan):
        return {}
    op, ports = node.op, [i for i, x in enumerate(node.inputs) if x.type.value is None]
    entries = op.body.inputs
    early = [k for k, i in enumerate(ports) if i >= op.sequences or op.reverse or not entries[i].shape]
    late = (op.reverse or not node.shape[1:]) and not op.last
    return {"steps": op.steps, "early": sum(1 << k for k in early), "late": int(late), "last": int(op.last)}


def _packs(wire: Wire) -> int:
    return prod(wire.shape[:-1])


PADS = (("pad_top", "in_height"), ("pad_bottom", "in_height"), ("pad_left", "in_width"), ("pad_right", "in_width"))


def _padded(spec: LayerSpec) -> list[LayerSpec]:
    """Put the process before a streaming convolution that hls4ml inserts for its padding."""
    pads = {name: spec.size(name) for name, _ in PADS}
    if not any(pads.values()):
        return [spec]
    high, wide, channels = spec.shapes[0]
    grown = (high + pads["pad_top"] + pads["pad_bottom"], wide + pads["pad_left"] + pads["pad_right"], channels)
    stream = f"{spec.name}_padded"
    sizes = {
        **pads, "in_height": high, "in_width": wide, "n_chan": channels, "out_height": grown[0], "out_width": grown[1],
    }  # fmt: skip
    types = {"input": spec.types["input"], "output": spec.types["input"]}
    padding = LayerSpec(
        f"zp2d_{spec.name}", "zeropad2d", "", spec.source, spec.inputs, (stream,), spec.shapes, (grown,), sizes, types
    )
    inner = {**spec.sizes, "in_height": grown[0], "in_width": grown[1], **dict.fromkeys(pads, 0)}
    return [padding, replace(spec, inputs=(stream,), shapes=(grown,), sizes=inner)]


def _connected(layers: list[LayerSpec]) -> list[LayerSpec]:
    """Leave out layers that are another name of a stream, and let their readers read that stream, pack by pack."""
    names: dict[str, tuple[str, tuple[int, ...]]] = {}
    kept: list[LayerSpec] = []
    for spec in layers:
        sources = [names.get(name, (name, shape)) for name, shape in zip(spec.inputs, spec.shapes, strict=True)]
        if spec.op == "reshape":
            names[spec.outputs[0]] = sources[0]
        else:
            kept.append(replace(spec, inputs=tuple(s[0] for s in sources), shapes=tuple(s[1] for s in sources)))
    return kept


def _depths(layers: list[LayerSpec], plan: Plan) -> dict[str, int]:
    """Depths as hls4ml sets them: every stream holds the tensor that passes it."""
    ports = {w.name for w in plan.outputs}
    return {
        name: prod(shape[:-1])
        for spec in layers
        for name, shape in zip(spec.outputs, spec.out_shapes, strict=True)
        if name not in ports
    }


__all__ = ["of_plan"]
