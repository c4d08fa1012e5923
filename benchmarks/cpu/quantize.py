"""Files of int8 networks: QuantizeLinear and DequantizeLinear round the operators, as onnxruntime's tools write them.

Weights are s8 and have a scale for each channel; ranges of activations are the least and greatest on drawn inputs.
Of the ways that onnxruntime's tools offer, each network is written in the one that its fastest peer runs fastest:

- Networks of convolutions: every tensor quantized, activations u8. The s8 ones made onnxruntime 1.8 times slower
  (MobileNetV2 at 224), OpenVINO 1.1 times.
- Networks with layer normalization: the operands of Conv, Gemm and MatMul quantized, symmetric s8, their results left
  in float. OpenVINO, the fastest, takes 0.6 times what u8 everywhere takes (ViT-Tiny, BERT, ConvNeXt); onnxruntime
  has no fast kernel for it and takes two to three times as long.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from .inputs import draw

PRODUCTS = ["Conv", "Gemm", "MatMul"]
SAMPLES = 8


def quantize(source: Path, target: Path) -> None:
    """Write the int8 form of a float model; needs onnxruntime."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    model = onnx.load(source)
    mixed = any(n.op_type == "LayerNormalization" for n in model.graph.node)
    options: dict[str, Any] = {"activation_type": QuantType.QInt8 if mixed else QuantType.QUInt8}
    if mixed:
        options["op_types_to_quantize"] = PRODUCTS
        options["extra_options"] = {"ActivationSymmetric": True, "OpTypesToExcludeOutputQuantization": PRODUCTS}
    # it advises to fold and infer shapes first; there is nothing to fold here
    logging.getLogger().setLevel(logging.ERROR)
    quantize_static(
        model, target, _reader(model), quant_format=QuantFormat.QDQ, per_channel=True, weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax, **options,
    )  # fmt: skip


def _reader(model: onnx.ModelProto) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Drawn(CalibrationDataReader):  # type: ignore[misc]
        """The first of them is what the engines run."""

        def __init__(self) -> None:
            self.left = samples(model)

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return next(self.left, None)

    return Drawn()


def samples(model: onnx.ModelProto) -> Iterator[dict[str, NDArray[Any]]]:
    """Drawn inputs by name."""
    for seed in range(SAMPLES):
        found: dict[str, NDArray[Any]] = {}
        for i, told in enumerate(model.graph.input):
            tensor = told.type.tensor_type
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
            found[told.name] = draw([d.dim_value for d in tensor.shape.dim], np.dtype(dtype), seed + i)
        yield found


def output_step(path: Path) -> float:
    """The scale of a quantized model's output; 0 for a model whose output is none, or is stored integers."""
    if path.suffix != ".onnx":
        return 0.0
    graph = onnx.load(path).graph
    stored = {t.name: t for t in graph.initializer}
    made = {n.output[0]: n for n in graph.node}
    node = made.get(graph.output[0].name)
    while node is not None and node.op_type in ("Reshape", "Flatten", "Transpose", "DepthToSpace"):
        node = made.get(node.input[0])
    if node is None or node.op_type != "DequantizeLinear":
        return 0.0
    return float(onnx.numpy_helper.to_array(stored[node.input[1]]))
