"""Files: external data, and everything that is damaged or hostile."""

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gatewright.frontend.onnx import from_object, load_file
from gatewright.graph import FileError, GatewrightError, Graph, ShapeError, UnsupportedError, evaluate

from .cases import Case, In, close, floats, ints, model, ours, reference
from .operators import CASES

make = helper.make_node


def dense() -> onnx.ModelProto:
    return Case("MatMul", (In((4,)), floats(4, 3))).model()


def save(proto: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(proto.SerializeToString())
    return path


def test_file(tmp_path: Path) -> None:
    proto, x = dense(), {"x0": floats(2, 4)}
    graph = load_file(save(proto, tmp_path / "net.onnx"))
    close(ours(graph, x), reference(proto, x))
    assert (graph.name, graph.source) == ("net", "onnx")
    again = load_file(str(tmp_path / "net.onnx"))
    assert str(again) == str(graph)


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"hello, this is no model", b"\x08\x07", b"\x7fELF" * 100, b"{}" * 50, bytes(10_000)]
)
def test_not_a_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        load_file(path)
    assert str(path) in caught.value.where
    assert caught.value.hint


def test_missing_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(FileError, match=r"no such file|is a folder"):
            load_file(path)


def test_every_truncation_is_an_error_of_ours(tmp_path: Path) -> None:
    data = CASES["Conv"].model().SerializeToString()
    path = tmp_path / "cut.onnx"
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(GatewrightError):
            load_file(path)


@pytest.mark.parametrize("op", ["Conv", "Resize", "Slice", "Pad", "Gemm", "Reshape", "Split"])
def test_flipped_bytes_are_a_model_or_an_error_of_ours(tmp_path: Path, op: str) -> None:
    data = CASES[op].model().SerializeToString()
    path, rng = tmp_path / "flipped.onnx", random.Random(op)
    for _ in range(60):
        bad = bytearray(data)
        for _ in range(rng.randint(1, 3)):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        path.write_bytes(bad)
        with suppress(GatewrightError):  # any other exception fails the test
            assert isinstance(load_file(path), Graph)


def external(tmp_path: Path, location: str, **more: Any) -> Path:
    """A model whose weights are in another file."""
    proto = dense()
    tensor = proto.graph.initializer[0]
    data = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=str(value))
    (tmp_path / "model").mkdir(exist_ok=True)
    (tmp_path / "model" / "w.bin").write_bytes(b"1234" + data)
    (tmp_path / "w.bin").write_bytes(b"1234" + data)
    return save(proto, tmp_path / "model" / "net.onnx")


def test_external_data(tmp_path: Path) -> None:
    x = floats(2, 4)
    for more in ({"offset": 4}, {"offset": 4, "length": 48}):
        graph = load_file(external(tmp_path, "w.bin", **more))
        np.testing.assert_allclose(evaluate(graph, x), x @ floats(4, 3), rtol=1e-5)


@pytest.mark.parametrize("location", ["../w.bin", "/etc/passwd", "a/../../w.bin", "link.bin", "", ".", "w\x00.bin"])
def test_external_data_elsewhere_is_refused(tmp_path: Path, location: str) -> None:
    path = external(tmp_path, location, offset=4)
    (tmp_path / "model" / "link.bin").symlink_to(tmp_path / "w.bin")
    with pytest.raises(FileError, match="outside"):
        load_file(path)


@pytest.mark.parametrize("more", [{"offset": -4}, {"offset": "x"}, {"length": 1 << 40}, {"offset": 40}, {"length": 8}])
def test_external_data_that_do_not_fit(tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(FileError):
        load_file(external(tmp_path, "w.bin", **more))


def test_external_data_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="not there"):
        load_file(external(tmp_path, "other.bin"))
    with pytest.raises(FileError, match="in memory"):
        from_object(onnx.load(external(tmp_path, "w.bin"), load_external_data=False))


def two(*nodes: onnx.NodeProto, shape: tuple[Any, ...] = ("N", 4), **stored: np.ndarray[Any, Any]) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(v, k) for k, v in stored.items()]
    return model(list(nodes), [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)], ["y"], tensors)


def huge(dims: list[int]) -> onnx.ModelProto:
    proto = dense()
    del proto.graph.initializer[0].dims[:]
    proto.graph.initializer[0].dims.extend(dims)
    return proto


def recursive() -> onnx.ModelProto:
    proto = two(make("F", ["x"], ["y"], domain="mine"))
    body = [make("F", ["a"], ["b"], domain="mine")]
    proto.functions.append(helper.make_function("mine", "F", ["a"], ["b"], body, [helper.make_opsetid("mine", 1)]))
    proto.opset_import.append(helper.make_opsetid("mine", 1))
    return proto


def without_opset() -> onnx.ModelProto:
    proto = dense()
    del proto.opset_import[:]
    return proto


def twice() -> onnx.ModelProto:
    proto = dense()
    proto.graph.initializer.append(proto.graph.initializer[0])
    return proto


def two_attributes() -> onnx.ModelProto:
    proto = CASES["LeakyRelu"].model()
    proto.graph.node[0].attribute.append(proto.graph.node[0].attribute[0])
    return proto


def nothing_out() -> onnx.ModelProto:
    proto = dense()
    del proto.graph.output[:]
    return proto


def integer_input() -> onnx.ModelProto:
    proto = dense()
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT32
    return proto


def no_type() -> onnx.ModelProto:
    proto = dense()
    proto.graph.input[0].ClearField("type")
    return proto


HOSTILE = {
    "cycle": (
        lambda: two(make("Add", ["x", "b"], ["a"]), make("Relu", ["a"], ["b"]), make("Relu", ["b"], ["y"])),
        FileError,
    ),
    "dangling": (lambda: two(make("Add", ["x", "w"], ["y"])), FileError),
    "dangling output": (lambda: two(make("Relu", ["x"], ["z"])), FileError),
    "duplicate result": (lambda: two(make("Relu", ["x"], ["y"]), make("Exp", ["x"], ["y"])), FileError),
    "duplicate weight": (twice, FileError),
    "duplicate attribute": (two_attributes, FileError),
    "too few inputs": (lambda: two(make("Add", ["x"], ["y"])), FileError),
    "NaN weights": (lambda: two(make("MatMul", ["x", "w"], ["y"]), w=np.full((4, 2), np.nan, np.float32)), ShapeError),
    "too large for float32": (lambda: two(make("MatMul", ["x", "w"], ["y"]), w=np.full((4, 2), 1e300)), ShapeError),
    "2^40 weights": (lambda: huge([1 << 20, 1 << 20]), FileError),
    "negative weights": (lambda: huge([-4, -3]), FileError),
    "more weights than data": (lambda: huge([4, 4]), FileError),
    "2^40 inputs": (lambda: two(make("Relu", ["x"], ["y"]), shape=("N", 1 << 20, 1 << 20)), ShapeError),
    "2^40 filled": (
        lambda: two(make("ConstantOfShape", ["s"], ["c"]), make("Add", ["x", "c"], ["y"]), s=ints(1 << 20, 1 << 20)),
        UnsupportedError,
    ),
    "2^40 expanded": (
        lambda: two(make("Expand", ["x", "s"], ["y"]), shape=("N", 1, 1), s=ints(1, 1 << 20, 1 << 20)),
        GatewrightError,
    ),
    "2^40 ranged": (
        lambda: two(
            make("Range", ["a", "b", "c"], ["r"]),
            make("Relu", ["x"], ["y"]),
            a=np.int64(0),
            b=np.int64(1 << 40),
            c=np.int64(1),
        ),
        UnsupportedError,
    ),
    "2^40 padded": (lambda: two(make("Pad", ["x", "p"], ["y"]), p=ints(0, 1 << 40, 0, 0)), ShapeError),
    "2^40 resized": (lambda: two(make("Resize", ["x", "", "", "s"], ["y"], axes=[1]), s=ints(1 << 40)), ShapeError),
    "2^40 tiled": (lambda: two(make("Tile", ["x", "r"], ["y"]), r=ints(1, 1 << 40)), GatewrightError),
    "recursive function": (recursive, FileError),
    "no opset": (without_opset, FileError),
    "no outputs": (nothing_out, FileError),
    "integer input": (integer_input, UnsupportedError),
    "input without a type": (no_type, UnsupportedError),
    "random": (
        lambda: two(make("RandomNormal", [], ["r"], shape=[1, 4]), make("Add", ["x", "r"], ["y"])),
        UnsupportedError,
    ),
    "division by zero": (
        lambda: two(make("Div", ["a", "b"], ["q"]), make("Gather", ["x", "q"], ["y"], axis=1), a=ints(1), b=ints(0)),
        GatewrightError,
    ),
    "string weights": (
        lambda: two(make("Identity", ["s"], ["t"]), make("Relu", ["x"], ["y"]), s=np.array(["a"], object)),
        UnsupportedError,
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(name: str) -> None:
    build, kind = HOSTILE[name]
    with pytest.raises(kind) as caught:
        from_object(build())
    assert caught.value.what
    assert caught.value.where


def test_other_objects() -> None:
    for thing in (dense().graph, {"graph": 1}, None):
        with pytest.raises(UnsupportedError, match="cannot import"):
            from_object(thing)
    with pytest.raises(FileError):
        from_object(onnx.ModelProto())
