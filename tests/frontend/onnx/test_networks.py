"""Whole networks in channels first: right, and without a transpose at run time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gatewright.frontend.onnx import from_object, load_file
from gatewright.graph import NDArray
from gatewright.graph.ops import Gather, Transpose

from .cases import close, floats, ints, model, ours, reference

EXAMPLES = Path(__file__).parents[3] / "examples"


class Net:
    """Writes a model, one operator after the other."""

    def __init__(self, *shape: int) -> None:
        self.shape, self.nodes, self.stored, self.last = shape, [], {}, "x"  # type: ignore[var-annotated]

    def add(self, op: str, *operands: str | NDArray, **attributes: object) -> str:
        """Apply an operator to the last result where no operand is named."""
        names = list(operands) if operands and isinstance(operands[0], str) else [self.last, *operands]
        for i, operand in enumerate(names):
            if not isinstance(operand, str):
                names[i] = f"w{len(self.stored)}"
                self.stored[names[i]] = operand
        self.last = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, names, [self.last], **attributes))
        return self.last

    def conv(self, channels: int, filters: int, *, x: str | None = None, size: int = 3, **attributes: object) -> str:
        weights = floats(filters, channels, size, size, seed=len(self.nodes))
        pads = [size // 2] * 4
        return self.add("Conv", x or self.last, weights * np.float32(0.3), floats(filters), pads=pads, **attributes)

    def norm(self, channels: int) -> str:
        mean, variance = floats(channels, seed=8), np.abs(floats(channels, seed=9)) + np.float32(0.5)
        return self.add("BatchNormalization", floats(channels), floats(channels, seed=7), mean, variance)

    def model(self) -> onnx.ModelProto:
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *self.shape])]
        stored = [
            numpy_helper.from_array(v.astype(np.float32) if v.dtype.kind == "f" else v, k)
            for k, v in self.stored.items()
        ]
        return model(self.nodes, inputs, [self.last], stored, 17)


def resnet() -> Net:
    net = Net(3, 9, 8)
    net.conv(3, 4)
    net.norm(4)
    a = net.add("Relu")
    net.conv(4, 4)
    b = net.norm(4)
    net.add("Add", a, b)
    c = net.add("Relu")
    net.conv(4, 6, strides=[2, 2])
    d = net.last
    e = net.conv(4, 6, x=c, size=1, strides=[2, 2])
    net.add("Add", d, e)
    net.add("GlobalAveragePool")
    net.add("Flatten")
    net.add("Gemm", floats(5, 6), floats(5), transB=1)
    net.add("Softmax", axis=1)
    return net


def flattened() -> Net:
    net = Net(2, 8, 6)
    net.conv(2, 4)
    net.add("LeakyRelu", alpha=0.2)
    net.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    net.add("Reshape", ints(0, -1))
    net.add("Clip", np.array(-0.5, np.float32), np.array(2.0, np.float32))
    net.add("Gemm", floats(48, 7), floats(7))
    net.add("Tanh")
    net.add("MatMul", floats(7, 2))
    return net


def unet() -> Net:
    net = Net(3, 8, 8)
    a = net.conv(3, 4)
    net.add("AveragePool", kernel_shape=[2, 2], strides=[2, 2])
    net.conv(4, 6)
    net.add("PRelu", floats(6, 1, 1))
    b = net.add("Resize", net.last, "", np.array([1, 1, 2, 2], np.float32), mode="linear")
    net.add("Concat", a, b, axis=1)
    net.conv(5, 4, group=2)
    net.add("ConvTranspose", floats(4, 3, 2, 2), strides=[2, 2])
    net.add("Pad", ints(0, 0, 1, 0, 0, 0, 0, 2), mode="reflect")
    net.add("Sigmoid")
    return net


def squeeze_excite() -> Net:
    net = Net(3, 6, 6)
    a = net.conv(3, 4)
    net.add("ReduceMean", axes=[2, 3], keepdims=0)
    net.add("Gemm", floats(4, 2), floats(2))
    net.add("Relu")
    net.add("Gemm", floats(2, 4), floats(4))
    net.add("HardSigmoid")
    gate = net.add("Reshape", ints(-1, 4, 1, 1))
    net.add("Mul", a, gate)
    net.conv(4, 2, size=1)
    return net


def one_dimensional() -> Net:
    net = Net(2, 16)
    net.add("Conv", floats(4, 2, 3), floats(4), pads=[2, 0], dilations=[1])
    net.add("InstanceNormalization", floats(4), floats(4, seed=2))
    net.add("Split", ints(1, 3), axis=1)
    net.nodes[-1].output.append("rest")
    net.add("Mul", net.last, "rest")
    net.add("GlobalAveragePool")
    net.add("Squeeze", ints(2))
    return net


@pytest.mark.parametrize("build", [resnet, flattened, unet, squeeze_excite, one_dimensional])
def test_network(build: Callable[[], Net]) -> None:
    net = build()
    proto = net.model()
    graph, x = from_object(proto), {"x": floats(2, *net.shape, seed=3)}
    close(ours(graph, x), reference(proto, x))
    moved = [n for n in graph.nodes if isinstance(n.op, Transpose)]
    assert not moved
    assert build is unet or not any(isinstance(n.op, Gather) for n in graph.nodes)
    assert graph.input_ops[0].axes == (*range(1, len(net.shape)), 0)


def test_example() -> None:
    path = EXAMPLES / "jet_tagger.onnx"
    x = np.load(EXAMPLES / "jet_test_x.npy")[:200].astype(np.float32)
    graph, proto = load_file(path), onnx.load(path)
    name = proto.graph.input[0].name
    close(ours(graph, {name: x}), reference(proto, {name: x}))


def test_hls4ml_example() -> None:
    """Whose BatchNormalization stands between transposes of the batch; compared without them, as it was meant."""
    path = Path(__file__).parents[4] / "shared" / "models" / "hls4ml_examples" / "three_layer_bn_keras.onnx"
    if not path.exists():
        pytest.skip("the shared models are not here")
    proto, x = onnx.load(path), {"input_1_0": floats(1, 16)}
    graph = load_file(path)
    assert len(graph.notes) == 4
    instead = {n.output[0]: n.input[0] for n in proto.graph.node if n.op_type == "Transpose"}
    kept = [n for n in proto.graph.node if n.op_type != "Transpose"]
    for node in kept:
        names, attributes = [instead.get(i, i) for i in node.input], [a for a in node.attribute if a.name != "spatial"]
        node.ClearField("input")
        node.ClearField("attribute")
        node.input.extend(names)
        node.attribute.extend(attributes)
    proto.graph.ClearField("node")
    proto.graph.node.extend(kept)
    proto.opset_import[0].version = 15
    close(ours(graph, x), reference(proto, x))
