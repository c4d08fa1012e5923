"""Networks of MLPerf Tiny as ONNX models from their Keras files, and ONNX Runtime's static quantization of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from gatewright.graph import NDArray

from .quantized import Builder


def samples(name: str, count: int, seed: int = 0) -> NDArray:
    """What a network was trained on, or near it: smooth pictures, or frames of spectra in decibels."""
    rng = np.random.default_rng(seed)
    if name == "ad01":
        return (rng.normal(size=(count, 640)).cumsum(axis=1) / 8 - 20).astype(np.float32)
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
