"""Record what qonnx computes: single operators, and networks that Brevitas exports.

PYTHONPATH=src:. python tests/record/qonnx_models.py      (qonnx 1.0; torch, brevitas for networks)
"""

import zipfile
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent.parent / "data" / "qonnx"


def record_operators() -> None:
    """One file with the output of every case of ``tests/frontend/onnx/qonnx_cases.py``."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    from tests.frontend.onnx.qonnx_cases import cases

    outputs = {}
    for name, model, x in cases():
        wrapped = ModelWrapper(model).transform(InferShapes())
        outputs[name] = next(iter(execute_onnx(wrapped, {model.graph.input[0].name: x}).values()))
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(FOLDER / "operators.npz", **outputs)


def shim() -> None:
    """What brevitas 0.13 still asks of torch, and torch 2.13 no longer has."""
    import torch
    import torch.fx._symbolic_trace as trace

    if not hasattr(trace, "_is_fx_tracing_flag"):
        trace._is_fx_tracing_flag = False
    if not hasattr(torch.Tensor, "rename"):
        torch.Tensor.rename = lambda self, *names, **more: self


def mlp(qnn, torch, quant):
    """Three dense layers, weights per channel and per tensor, a bias of 32 bits."""
    return torch.nn.Sequential(
        qnn.QuantIdentity(bit_width=8, return_quant_tensor=True),
        qnn.QuantLinear(16, 24, bias=True, weight_bit_width=6, bias_quant=quant.Int32Bias, return_quant_tensor=True),
        qnn.QuantReLU(bit_width=6, return_quant_tensor=True),
        qnn.QuantLinear(
            24,
            12,
            bias=True,
            weight_bit_width=4,
            weight_quant=quant.Int8WeightPerChannelFloat,
            bias_quant=quant.Int32Bias,
        ),
        torch.nn.BatchNorm1d(12),
        qnn.QuantReLU(bit_width=4, return_quant_tensor=True),
        qnn.QuantLinear(12, 5, bias=True, weight_bit_width=8, bias_quant=quant.Int32Bias),
    ), (16,)


def cnn(qnn, torch, quant):
    """Convolutions (one of depth), batch normalization, pools; scales that are powers of two in the first layers."""
    po2, by_channel = {"weight_quant": quant.Int8WeightPerTensorFixedPoint}, quant.Int8WeightPerChannelFloat
    return torch.nn.Sequential(
        qnn.QuantIdentity(act_quant=quant.Int8ActPerTensorFixedPoint, return_quant_tensor=True),
        qnn.QuantConv2d(2, 6, 3, padding=1, bias=False, weight_bit_width=4, **po2),
        torch.nn.BatchNorm2d(6),
        qnn.QuantReLU(bit_width=4, return_quant_tensor=True),
        torch.nn.MaxPool2d(2),
        qnn.QuantConv2d(6, 6, 3, groups=6, bias=False, weight_bit_width=4, weight_quant=by_channel),
        qnn.QuantReLU(bit_width=6, return_quant_tensor=True),
        qnn.QuantConv2d(6, 8, 1, stride=1, bias=True, bias_quant=quant.Int32Bias, weight_bit_width=3),
        qnn.QuantReLU(bit_width=5, return_quant_tensor=True),
        torch.nn.Flatten(),
        qnn.QuantLinear(8 * 2 * 2, 4, bias=True, weight_bit_width=4, bias_quant=quant.Int32Bias),
    ), (2, 8, 8)


def residual(qnn, torch, quant):
    """Two branches that meet in an addition behind one shared quantizer."""

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.entry = qnn.QuantIdentity(bit_width=8, return_quant_tensor=True)
            self.stem = qnn.QuantConv2d(2, 4, 3, padding=1, bias=False, weight_bit_width=4)
            self.norm = torch.nn.BatchNorm2d(4)
            self.relu = qnn.QuantReLU(bit_width=6, return_quant_tensor=True)
            self.inner = qnn.QuantConv2d(4, 4, 3, padding=1, bias=False, weight_bit_width=4)
            self.shared = qnn.QuantIdentity(bit_width=8, return_quant_tensor=True)
            self.last = qnn.QuantReLU(bit_width=6, return_quant_tensor=True)
            self.head = qnn.QuantLinear(4 * 16, 3, bias=True, weight_bit_width=5, bias_quant=quant.Int32Bias)

        def forward(self, x):
            x = self.relu(self.norm(self.stem(self.entry(x))))
            x = self.last(self.shared(self.inner(x)) + self.shared(x))
            x = torch.nn.functional.max_pool2d(x, 2)
            return self.head(torch.flatten(x, 1))

    return Net(), (2, 8, 8)


def binary(qnn, torch, quant):
    """Weights and activations of one bit."""
    from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst

    one = {"bias": False, "weight_quant": SignedBinaryWeightPerTensorConst, "weight_scaling_init": 0.1}
    return torch.nn.Sequential(
        qnn.QuantIdentity(bit_width=8, return_quant_tensor=True),
        qnn.QuantLinear(16, 20, **one),
        torch.nn.BatchNorm1d(20),
        qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst, scaling_init=1.0, return_quant_tensor=True),
        qnn.QuantLinear(20, 5, **one),
    ), (16,)


def trained(build):
    """A network with statistics of some batches, ready for inference, and the shape of its input."""
    import brevitas.nn as qnn
    import brevitas.quant as quant
    import torch

    torch.manual_seed(7)
    net, shape = build(qnn, torch, quant)
    for _ in range(12):
        net(torch.randn(32, *shape))
    return net.eval(), shape


def record_networks() -> None:
    """A zip for each network: the QONNX and the QCDQ export, inputs on a grid, what qonnx and the evaluator give."""
    shim()
    import warnings

    import onnx
    import torch
    from brevitas.export import export_onnx_qcdq, export_qonnx
    from onnx.reference import ReferenceEvaluator
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    for build in (mlp, cnn, residual, binary):
        net, shape = trained(build)
        x = (np.random.default_rng(1).integers(-512, 512, (40, *shape)) / 256).astype(np.float32)
        file = FOLDER / f"{build.__name__}.zip"
        with warnings.catch_warnings(), zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            warnings.simplefilter("ignore")
            answers = {"x": x}
            export_qonnx(net, torch.randn(1, *shape), "/tmp/net.onnx", dynamo=False)
            archive.write("/tmp/net.onnx", "qonnx.onnx")
            model = ModelWrapper("/tmp/net.onnx").transform(InferShapes())
            name = model.graph.input[0].name
            answers["qonnx"] = np.concatenate([next(iter(execute_onnx(model, {name: v[None]}).values())) for v in x])
            if build is not binary:
                export_onnx_qcdq(net, torch.randn(1, *shape), "/tmp/net.onnx", dynamo=False)
                archive.write("/tmp/net.onnx", "qcdq.onnx")
                proto = onnx.load("/tmp/net.onnx")
                proto.opset_import[0].version = 19  # the evaluator has DequantizeLinear from 19 on; it means the same
                run = ReferenceEvaluator(proto)
                answers["qcdq"] = np.concatenate([run.run(None, {run.input_names[0]: v[None]})[0] for v in x])
            with archive.open("answers.npz", "w") as out:
                np.savez_compressed(out, **answers)


if __name__ == "__main__":
    record_operators()
    record_networks()
