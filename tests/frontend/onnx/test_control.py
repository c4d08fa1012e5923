"""If, Loop and Scan against onnx's evaluator."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from gatewright.frontend.onnx import from_object
from gatewright.graph import GatewrightError, NDArray

from .cases import close, floats, ours, reference

FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def info(name: str, kind: int, shape: list[Any] | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def graph(nodes: list[NodeProto], inputs: list[Any], outputs: list[Any], stored: dict[str, NDArray]) -> GraphProto:
    tensors = [numpy_helper.from_array(v, k) for k, v in stored.items()]
    return helper.make_graph(nodes, "inner", inputs, outputs, tensors)


def model(nodes: list[NodeProto], inputs: list[Any], outputs: list[str], stored: dict[str, NDArray]) -> Any:
    infos = [info(name, FLOAT, None) for name in outputs]
    whole = graph(nodes, inputs, infos, stored)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def agrees(proto: Any, x: dict[str, NDArray], expected: list[NDArray] | None = None) -> Any:
    """Compare with onnx's evaluator, or with ``expected`` where it does not know the attributes."""
    made = from_object(proto)
    close(ours(made, x), reference(proto, x) if expected is None else expected)
    return made


def branch(op: str, *, name: str = "r") -> GraphProto:
    """One operator on ``x``, which is around it."""
    return graph([helper.make_node(op, ["x"], [name])], [], [info(name, FLOAT, None)], {})


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("batch", ["N", 3])
def test_if_by_a_constant(truth: bool, batch: Any) -> None:
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch("Exp"), else_branch=branch("Neg", name="s"))
    proto = model([node], [info("x", FLOAT, [batch, 4])], ["y"], {"c": np.array(truth)})
    assert not agrees(proto, {"x": floats(3, 4)}).input_ops[0].whole


@pytest.mark.parametrize("truth", [True, False])
def test_if_by_a_computed_condition(truth: bool) -> None:
    """Both branches, and a choice."""
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch("Exp"), else_branch=branch("Neg", name="s"))
    proto = model([node], [info("c", BOOL, []), info("x", FLOAT, [2, 4])], ["y"], {})
    agrees(proto, {"c": np.array(truth), "x": floats(2, 4)})


def loop_body(stop: int = 99) -> GraphProto:
    """v <- v * 2 + i, emits v; goes on while i < stop."""
    nodes = [
        helper.make_node("Cast", ["i"], ["f"], to=FLOAT), helper.make_node("Mul", ["v", "two"], ["d"]),
        helper.make_node("Add", ["d", "f"], ["w"]), helper.make_node("Less", ["i", "stop"], ["on"]),
        helper.make_node("Identity", ["w"], ["e"]),
    ]  # fmt: skip
    inputs = [info("i", INT, []), info("c", BOOL, []), info("v", FLOAT, None)]
    outputs = [info("on", BOOL, []), info("w", FLOAT, None), info("e", FLOAT, None)]
    return graph(nodes, inputs, outputs, {"two": np.float32(2).reshape(()), "stop": np.array(stop, np.int64)})


@pytest.mark.parametrize(("rounds", "stop"), [(3, 99), (9, 2)])
def test_a_loop_is_written_out(rounds: int, stop: int) -> None:
    node = helper.make_node("Loop", ["m", "c", "x"], ["y", "rows"], body=loop_body(stop))
    back = helper.make_node("Transpose", ["rows"], ["z"], perm=[1, 0, 2])
    stored = {"m": np.array(rounds, np.int64), "c": np.array(True)}
    rows = [floats(3, 4)]
    for i in range(min(rounds, stop + 1)):
        rows.append(rows[-1] * 2 + i)
    expected = [rows[-1], np.stack(rows[1:], axis=1)]
    proto = model([node, back], [info("x", FLOAT, ["N", 4])], ["y", "z"], stored)
    made = agrees(proto, {"x": floats(3, 4)}, expected)
    assert not made.input_ops[0].whole


def scan_body() -> GraphProto:
    """h <- h * 0.5 + a * b, emits h and h - a."""
    nodes = [
        helper.make_node("Mul", ["h", "half"], ["k"]), helper.make_node("Mul", ["a", "b"], ["p"]),
        helper.make_node("Add", ["k", "p"], ["n"]), helper.make_node("Identity", ["n"], ["e"]),
        helper.make_node("Sub", ["n", "a"], ["g"]),
    ]  # fmt: skip
    inputs = [info(n, FLOAT, None) for n in "hab"]
    outputs = [info(n, FLOAT, None) for n in "neg"]
    return graph(nodes, inputs, outputs, {"half": np.array(0.5, np.float32)})


def scanned(h: NDArray, a: NDArray, b: NDArray, attributes: dict[str, Any]) -> list[NDArray]:
    """What the scan gives, by its definition."""
    axes = [attributes.get(f"scan_{k}_axes", [0, 0]) for k in ("input", "output")]
    ways = [attributes.get(f"scan_{k}_directions", [0, 0]) for k in ("input", "output")]
    rows = [np.moveaxis(v, axis, 0) for v, axis in zip((a, b), axes[0], strict=True)]
    rows = [v[::-1] if back else v for v, back in zip(rows, ways[0], strict=True)]
    emitted: list[list[NDArray]] = [[], []]
    for u, v in zip(*rows, strict=True):
        h = h * np.float32(0.5) + u * v
        emitted[0].append(h)
        emitted[1].append(h - u)
    out = [e[::-1] if back else e for e, back in zip(emitted, ways[1], strict=True)]
    return [h, *(np.stack(e, axis) for e, axis in zip(out, axes[1], strict=True))]


DIRECTIONS = [
    {},
    {"scan_input_directions": [1, 0], "scan_output_directions": [0, 1]},
    {"scan_input_axes": [1, 0], "scan_output_axes": [2, 0]},
]


@pytest.mark.parametrize("attributes", DIRECTIONS, ids=["plain", "directions", "axes"])
def test_scan_without_a_batch(attributes: dict[str, Any]) -> None:
    node = helper.make_node("Scan", ["h", "a", "b"], ["n", "e", "g"], body=scan_body(), num_scan_inputs=2, **attributes)
    first = [2, 5, 3] if "scan_input_axes" in attributes else [5, 2, 3]
    inputs = [info("h", FLOAT, [2, 3]), info("a", FLOAT, first), info("b", FLOAT, [5, 2, 3])]
    x = {"h": floats(2, 3), "a": floats(*first, seed=2), "b": floats(5, 2, 3, seed=3)}
    agrees(model([node], inputs, ["n", "e", "g"], {}), x, scanned(x["h"], x["a"], x["b"], attributes))


def test_scan_over_time() -> None:
    """[batch, time, channels], stepping along axis 1."""
    attributes: dict[str, Any] = {"scan_input_axes": [1, 1], "scan_output_axes": [1, 1]}
    node = helper.make_node("Scan", ["h", "a", "a"], ["n", "e", "g"], body=scan_body(), num_scan_inputs=2, **attributes)
    inputs = [info("h", FLOAT, ["N", 3]), info("a", FLOAT, ["N", 5, 3])]
    x = {"h": floats(4, 3), "a": floats(4, 5, 3, seed=2)}
    made = agrees(model([node], inputs, ["n", "e", "g"], {}), x, scanned(x["h"], x["a"], x["a"], attributes))
    assert not made.input_ops[0].whole


def test_what_is_refused() -> None:
    node = helper.make_node("Loop", ["m", "c", "x"], ["y", "rows"], body=loop_body(10**6))
    for stored, inputs in (
        ({"c": np.array(True)}, [info("m", INT, [1])]), ({"m": np.array(10**6, np.int64), "c": np.array(True)}, []),
    ):  # fmt: skip
        with pytest.raises(GatewrightError, match=r"Loop|m"):
            from_object(model([node], [*inputs, info("x", FLOAT, ["N", 4])], ["y"], stored))
    odd = helper.make_node("If", ["c"], ["y"], then_branch=branch("Exp"), else_branch=branch("Neg", name="s"), florp=1)
    with pytest.raises(GatewrightError, match="florp"):
        from_object(model([odd], [info("x", FLOAT, ["N", 4])], ["y"], {"c": np.array(True)}))
    inner = helper.make_node(
        "If", ["c"], ["y"], then_branch=branch("Exp"),
        else_branch=graph([helper.make_node("Det", ["x"], ["s"])], [], [info("s", FLOAT, None)], {}),
    )  # fmt: skip
    with pytest.raises(GatewrightError, match="Det"):
        from_object(model([inner], [info("x", FLOAT, ["N", 4, 4])], ["y"], {"c": np.array(False)}))
