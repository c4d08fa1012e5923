"""Networks of MLPerf Tiny as ONNX models from their files, and ONNX Runtime's static quantization of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from gatewright.frontend.tflite.model import Operator, Tensor
from gatewright.frontend.tflite.reader import read_model
from gatewright.graph import NDArray

from .quantized import Builder


def samples(name: str, count: int, seed: int = 0) -> NDArray:
    """What a network was trained on, or near it: smooth pictures, or frames of spectra in decibels."""
    rng = np.random.default_rng(seed)
    if name == "ad01":
        return (rng.normal(size=(count, 640)).cumsum(axis=1) / 8 - 20).astype(np.float32)
    if name == "dscnn_kws_fp32":
        return (rng.normal(size=(count, 1, 49, 10)) * np.linspace(30, 3, 10) + np.eye(10)[0] * 60).astype(np.float32)
    size = 96 if name == "vww_96" else 32
    small = rng.uniform(0, 255, (count, 3, 8, 8)).repeat(size // 8, axis=2).repeat(size // 8, axis=3)
    pictures = np.clip(np.rint(small + rng.normal(size=small.shape) * 12), 0, 255).astype(np.float32)
    return pictures / np.float32(255) if name == "vww_96" else pictures


def from_keras(path: Path) -> onnx.ModelProto:
    """Write the layers of a Keras file, channels first."""
    import h5py

    b = Builder(17)
    values: dict[str, str] = {}
    with h5py.File(path) as file:
        for layer in json.loads(file.attrs["model_config"])["config"]["layers"]:
            name, config = layer["config"]["name"], layer["config"]
            group = file["model_weights"].get(name, {}).get(name, {})
            weights = {k.removesuffix(":0"): np.asarray(v) for k, v in group.items()}
            reads = [values[i[0]] for node in layer["inbound_nodes"] for i in node]
            values[name] = _layer(b, layer["class_name"], config, reads, weights)
    return b.model(values[name])


def from_tflite(path: Path) -> onnx.ModelProto:
    """Write DS-CNN, which has no Keras file, channels first; weights of eight bits become what they mean."""
    model = read_model(path)
    b = Builder(17)
    value = ""
    for operator in model.operators:
        x, *rest = (model.tensors[i] for i in operator.inputs if i is not None)
        arrays = [_real(t) for t in rest]
        if not value:
            _, high, wide, channels = x.shape
            value = b.input((channels, high, wide))
        value = _operator(b, operator, value, arrays)
    return b.model(value)


def _real(t: Tensor) -> NDArray:
    stored = t.read(t.name)
    if not t.scales:
        return stored
    shape = [-1 if i == t.axis and len(t.scales) > 1 else 1 for i in range(stored.ndim)]
    scales, zeros = (np.reshape(v, shape) for v in (t.scales, t.zero_points))
    return ((stored.astype(np.float32) - zeros) * scales).astype(np.float32)


def _operator(b: Builder, operator: Operator, x: str, arrays: list[NDArray]) -> str:
    options = operator.options
    strides = [options[f"stride_{a}"] for a in "hw"] if "stride_h" in options else []
    match operator.name:
        case "CONV_2D" | "DEPTHWISE_CONV_2D":
            assert (options["padding"], options["fused_activation_function"]) == (0, 1)
            deep = operator.name == "DEPTHWISE_CONV_2D"
            kernel = arrays[0].transpose(3, 0, 1, 2) if deep else arrays[0].transpose(0, 3, 1, 2)
            group = len(kernel) if deep else 1
            conv = {"auto_pad": "SAME_UPPER", "strides": strides, "group": group}
            return b.op("Relu", b.op("Conv", x, b.const(kernel), b.const(arrays[1]), **conv))
        case "AVERAGE_POOL_2D":
            window = [options["filter_height"], options["filter_width"]]
            return b.op("AveragePool", x, kernel_shape=window, strides=strides)
        case "RESHAPE":
            return b.op("Flatten", x)
        case "FULLY_CONNECTED":
            return b.op("Gemm", x, b.const(arrays[0].T), b.const(arrays[1]))
    assert operator.name == "SOFTMAX"
    return b.op("Softmax", x)


def _layer(b: Builder, kind: str, config: dict[str, Any], reads: list[str], w: dict[str, NDArray]) -> str:
    match kind:
        case "InputLayer":
            *space, channels = config["batch_input_shape"][1:]
            return b.input((channels, *space))
        case "Conv2D":
            return _conv(b, reads, w["kernel"].transpose(3, 2, 0, 1), w, config)
        case "DepthwiseConv2D":
            kernel = w["depthwise_kernel"].transpose(2, 3, 0, 1)
            return _conv(b, reads, kernel, w, config, group=len(kernel))
        case "BatchNormalization":
            parts = [b.const(w[k]) for k in ("gamma", "beta", "moving_mean", "moving_variance")]
            return b.op("BatchNormalization", *reads, *parts, epsilon=config["epsilon"])
        case "Activation":
            return b.op("Relu", *reads)
        case "Add":
            return b.op("Add", *reads)
        case "AveragePooling2D":
            return b.op("AveragePool", *reads, kernel_shape=config["pool_size"], strides=config["strides"])
        case "Flatten":
            return b.op("Flatten", *reads)
        case "Dense":
            y = b.op("Gemm", *reads, b.const(w["kernel"]), b.const(w["bias"]))
            return b.op("Softmax", y) if config["activation"] == "softmax" else y
    raise AssertionError(kind)


def _conv(
    b: Builder, reads: list[str], kernel: NDArray, w: dict[str, NDArray], config: dict[str, Any], **more: int
) -> str:
    assert config["padding"] in ("same", "valid")
    assert config["activation"] in ("linear", None)
    pad = "SAME_UPPER" if config["padding"] == "same" else "VALID"
    bias = [b.const(w["bias"])] if config["use_bias"] else []
    return b.op("Conv", *reads, b.const(kernel), *bias, auto_pad=pad, strides=config["strides"], **more)


def quantized(model: onnx.ModelProto, samples: NDArray, folder: Path, **options: Any) -> onnx.ModelProto:
    """Quantize statically, as users of ONNX Runtime do."""
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(q.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter([{model.graph.input[0].name: s[None]} for s in samples])

        def get_next(self) -> Any:
            return next(self.left, None)

    source, ready, target = folder / "float.onnx", folder / "ready.onnx", folder / "int8.onnx"
    model.ir_version = 9
    onnx.save(model, source)
    quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
    q.quantize_static(str(ready), str(target), Reader(), **options)
    return onnx.load(target)
