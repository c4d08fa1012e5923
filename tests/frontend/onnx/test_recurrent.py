"""RNN, GRU and LSTM with every attribute, against their equations written out, and against ONNX Runtime."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gatewright.frontend.onnx import from_object
from gatewright.graph import GatewrightError, NDArray, UnsupportedError, evaluate

from .cases import floats, ints, ours, reference

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
STEPS, BATCH, CHANNELS, UNITS = 4, 3, 2, 3


@dataclass(frozen=True)
class Layer:
    """One recurrent layer; ``given``: which of B, sequence_lens, initial_h, initial_c, P are there."""

    op: str
    attributes: dict[str, Any] = field(default_factory=dict)
    given: str = "B"

    @property
    def directions(self) -> int:
        return 2 if self.attributes.get("direction") == "bidirectional" else 1

    def constants(self) -> dict[str, NDArray]:
        gates, d = GATES[self.op], self.directions
        made = {"W": floats(d, gates * UNITS, CHANNELS, seed=1), "R": floats(d, gates * UNITS, UNITS, seed=2) * 0.7}
        if "B" in self.given:
            made["B"] = floats(d, 2 * gates * UNITS, seed=3)
        if "S" in self.given:
            made["S"] = np.full(BATCH, STEPS, np.int32)
        layout = self.attributes.get("layout", 0)
        for key, seed in (("H", 4), ("C", 5)):
            if key in self.given:
                same = floats(d, 1, UNITS, seed=seed).repeat(BATCH, axis=1)
                made[key] = same.swapaxes(0, 1) if layout else same
        if "P" in self.given:
            made["P"] = floats(d, 3 * UNITS, seed=6)
        return {k: np.ascontiguousarray(v) for k, v in made.items()}

    def model(self, *, batch: str | int = BATCH, around: bool = True) -> onnx.ModelProto:
        """The layer, with a transpose before it where it has the time first, so that axis 0 is the batch."""
        constants = self.constants()
        names = [k if k in constants else "" for k in ("W", "R", "B", "S", "H", "C", "P")]
        names = names[: 5 if self.op != "LSTM" else 7]
        while not names[-1]:
            names.pop()
        first, nodes = self.attributes.get("layout", 0), []
        entry = "x"
        if around and not first:
            nodes.append(helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]))
            entry = "t"
        outs = ["Y", "Yh", *(["Yc"] if self.op == "LSTM" else [])]
        nodes.append(helper.make_node(self.op, [entry, *names], outs, name="it", hidden_size=UNITS, **self.attributes))
        results = outs
        if around and not first:
            for name, perm in (("Y", [2, 0, 1, 3]), ("Yh", [1, 0, 2]), ("Yc", [1, 0, 2]))[: len(outs)]:
                nodes.append(helper.make_node("Transpose", [name], [f"{name}_t"], perm=perm))
            results = [f"{name}_t" for name in outs]
        shape = [batch, STEPS, CHANNELS] if around else [STEPS, batch, CHANNELS]
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in results]
        stored = [numpy_helper.from_array(v, k) for k, v in constants.items()]
        graph = helper.make_graph(nodes, "test", [x], infos, stored)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


def squash(name: str, alpha: float | None, beta: float | None) -> Any:
    """The functions by the operators' definition."""
    return {
        "Relu": lambda v: np.maximum(v, 0), "Tanh": np.tanh, "Sigmoid": lambda v: 1 / (1 + np.exp(-v)),
        "Affine": lambda v: alpha * v + beta, "LeakyRelu": lambda v: np.where(v >= 0, v, (alpha or 0.01) * v),
        "ThresholdedRelu": lambda v: np.where(v >= (1.0 if alpha is None else alpha), v, 0),
        "ScaledTanh": lambda v: alpha * np.tanh(beta * v),
        "HardSigmoid": lambda v: np.clip((0.2 if alpha is None else alpha) * v + (0.5 if beta is None else beta), 0, 1),
        "Elu": lambda v: np.where(v >= 0, v, (1.0 if alpha is None else alpha) * (np.exp(v) - 1)),
        "Softsign": lambda v: v / (1 + np.abs(v)), "Softplus": lambda v: np.log1p(np.exp(v)),
    }[name]  # fmt: skip


TAKES = {"Affine": "ab", "LeakyRelu": "a", "ThresholdedRelu": "a", "ScaledTanh": "ab", "HardSigmoid": "ab", "Elu": "a"}


def functions(layer: Layer) -> list[Any]:
    default = {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}[layer.op]
    names = layer.attributes.get("activations", default * layer.directions)
    alphas = list(layer.attributes.get("activation_alpha", []))
    betas = list(layer.attributes.get("activation_beta", []))
    limit = layer.attributes.get("clip")
    made = []
    for k, name in enumerate(names):
        alpha = alphas.pop(0) if "a" in TAKES.get(name, "") and alphas else None
        beta = betas.pop(0) if "b" in TAKES.get(name, "") and betas else None
        inner = squash(name, alpha, beta)
        clips = limit and k % 3 < 2  # not the state of the cell on its way out
        made.append((lambda v, f=inner: f(np.clip(v, -limit, limit))) if clips else inner)
    return made


def by_hand(layer: Layer, x: NDArray) -> list[NDArray]:
    """Y [batch, time, directions, units], Y_h and Y_c [batch, directions, units] of x [batch, time, channels]."""
    v = {k: a.astype(np.float64) for k, a in layer.constants().items()}
    first, n = layer.attributes.get("layout", 0), UNITS
    ways = {"reverse": [True], "bidirectional": [False, True]}.get(layer.attributes.get("direction", ""), [False])
    f, per = functions(layer), {"RNN": 1, "GRU": 2, "LSTM": 3}[layer.op]
    rows, ends, cells = [], [], []
    for d, back in enumerate(ways):
        w, r = v["W"][d], v["R"][d]
        b = v["B"][d] if "B" in v else np.zeros(2 * len(w))
        wb, rb = b[: len(w)], b[len(w) :]
        start = {k: (v[k].swapaxes(0, 1) if first else v[k])[d] if k in v else np.zeros((len(x), n)) for k in "HC"}
        h, c = start["H"], start["C"]
        p = np.split(v["P"][d], 3) if "P" in v else [np.zeros(n)] * 3
        g, seen = f[d * per : d * per + per], {}
        for t in range(STEPS)[:: -1 if back else 1]:
            h, c = one_step(layer, x[:, t].astype(np.float64), h, c, (w, r, wb, rb, p), g)
            seen[t] = h
        rows.append(np.stack([seen[t] for t in range(STEPS)], axis=1))
        ends.append(h)
        cells.append(c)
    made = [np.stack(rows, axis=2), np.stack(ends, axis=1)]
    return [*made, np.stack(cells, axis=1)] if layer.op == "LSTM" else made


def one_step(layer: Layer, x: NDArray, h: NDArray, c: NDArray, weights: Any, g: list[Any]) -> tuple[NDArray, NDArray]:
    w, r, wb, rb, p = weights
    n = UNITS
    if layer.op == "RNN":
        return g[0](x @ w.T + h @ r.T + wb + rb), c
    if layer.op == "GRU":
        z = g[0](x @ w[:n].T + h @ r[:n].T + wb[:n] + rb[:n])
        k = slice(n, 2 * n)
        reset = g[0](x @ w[k].T + h @ r[k].T + wb[k] + rb[k])
        k = slice(2 * n, None)
        if layer.attributes.get("linear_before_reset"):
            new = g[1](x @ w[k].T + reset * (h @ r[k].T + rb[k]) + wb[k])
        else:
            new = g[1](x @ w[k].T + (reset * h) @ r[k].T + rb[k] + wb[k])
        return (1 - z) * new + z * h, c
    i, o, f, cell = np.split(x @ w.T + h @ r.T + wb + rb, 4, axis=1)
    i = g[0](i + p[0] * c)
    f = 1 - i if layer.attributes.get("input_forget") else g[0](f + p[2] * c)
    c = f * c + i * g[1](cell)
    o = g[0](o + p[1] * c)
    return o * g[2](c), c


BOTH = {"direction": "bidirectional"}
LAYERS = [
    *(Layer(op, {"direction": d}) for op in GATES for d in ("forward", "reverse", "bidirectional")),
    *(Layer(op, {"layout": 1, **BOTH}, "BHS") for op in GATES),
    *(Layer(op, {"clip": 0.4}, "") for op in GATES),
    *(Layer(op, {}, "BHS") for op in GATES),
    Layer("GRU", {"linear_before_reset": 1, **BOTH}, "BH"),
    Layer("GRU", {"linear_before_reset": 1, "layout": 1}),
    Layer("LSTM", BOTH, "BSHCP"),
    Layer("LSTM", {"layout": 1, **BOTH}, "BHCP"),
    Layer("LSTM", {"input_forget": 1}, "BCP"),
    Layer("RNN", {"activations": ["Relu"]}),
    Layer("RNN", {"activations": ["LeakyRelu", "Softsign"], "activation_alpha": [0.3], **BOTH}),
    Layer("RNN", {"activations": ["Affine"], "activation_alpha": [0.3], "activation_beta": [0.1]}),
    Layer("RNN", {"activations": ["ScaledTanh", "HardSigmoid"], "activation_alpha": [0.3, 0.25],
                  "activation_beta": [0.7, 0.4], **BOTH}),
    Layer("GRU", {"activations": ["HardSigmoid", "Elu"], "activation_alpha": [0.3, 0.6], "activation_beta": [0.45]}),
    Layer("LSTM", {"activations": ["HardSigmoid", "Softsign", "Tanh"]}),
    Layer("LSTM", {"activations": ["Sigmoid", "ThresholdedRelu", "Softplus"], "activation_alpha": [0.2]}),
]  # fmt: skip


def samples(length: int = BATCH) -> NDArray:
    return np.random.default_rng(7).uniform(-2, 2, (length, STEPS, CHANNELS)).astype(np.float32)


def compared(got: list[NDArray], expected: list[NDArray]) -> None:
    assert len(got) == len(expected)
    for g, e in zip(got, expected, strict=True):
        assert g.shape == e.shape
        np.testing.assert_allclose(g, e, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda v: f"{v.op}-{v.given}-{'-'.join(map(str, v.attributes.values()))}")
def test_by_hand(layer: Layer) -> None:
    x = samples()
    graph = from_object(layer.model())
    assert not graph.input_ops[0].whole
    compared(ours(graph, {"x": x}), by_hand(layer, x))


@pytest.mark.parametrize("layer", LAYERS[:9], ids=lambda v: f"{v.op}-{v.attributes['direction']}")
def test_an_open_batch(layer: Layer) -> None:
    x = samples(5)
    compared(ours(from_object(layer.model(batch="N")), {"x": x}), by_hand(layer, x))


@pytest.mark.parametrize("layer", LAYERS, ids=lambda v: v.op)
def test_without_a_batch(layer: Layer) -> None:
    """The time first, and no transpose: a sample is the whole input."""
    x = samples()
    first = layer.attributes.get("layout", 0)
    graph = from_object(layer.model(around=bool(first)))
    got = ours(graph, {"x": x if first else x.swapaxes(0, 1)})
    expected = by_hand(layer, x)
    if not first:
        assert graph.input_ops[0].whole
        expected = [expected[0].transpose(1, 2, 0, 3), *(e.swapaxes(0, 1) for e in expected[1:])]
    compared(got, expected)


@pytest.mark.live
@pytest.mark.parametrize("layer", LAYERS, ids=lambda v: v.op)
def test_onnxruntime_agrees(layer: Layer) -> None:
    runtime = pytest.importorskip("onnxruntime")
    if layer.attributes.get("layout") or layer.attributes.get("input_forget"):
        pytest.skip("ONNX Runtime has no layout 1; it leaves input_forget out")
    x = samples()
    session = runtime.InferenceSession(layer.model().SerializeToString(), providers=["CPUExecutionProvider"])
    compared(session.run(None, {"x": x}), by_hand(layer, x))


@pytest.mark.parametrize(
    ("layer", "word"),
    [
        (Layer("LSTM", {"activations": ["Tanh"]}), "activations"),
        (Layer("RNN", {"activations": ["Affine"]}), "alpha"),
        (Layer("RNN", {"activations": ["Tanh"], "activation_alpha": [0.5]}), "more activation_alpha"),
        (Layer("RNN", {"activations": ["Swish"]}), "Swish"),
        (Layer("RNN", {"clip": -1.0}), "clip"),
        (Layer("RNN", {"hidden_units": 4}), "hidden_units"),
    ],
)
def test_refused(layer: Layer, word: str) -> None:
    with pytest.raises(GatewrightError, match=word):
        from_object(layer.model(batch="N"))


def test_sequences_of_other_lengths_are_refused() -> None:
    model = Layer("GRU", {}, "BS").model()
    stored = next(t for t in model.graph.initializer if t.name == "S")
    stored.CopyFrom(numpy_helper.from_array(np.array([4, 3, 4], np.int32), "S"))
    with pytest.raises(UnsupportedError, match="sequence_lens"):
        from_object(model)


def chain(nodes: list[onnx.NodeProto], stored: dict[str, NDArray], batch: str | int = "N") -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, STEPS, CHANNELS])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    tensors = [numpy_helper.from_array(v, k) for k, v in stored.items()]
    graph = helper.make_graph(nodes, "test", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_what_exporters_write_between_layers() -> None:
    """Bidirectional layers as PyTorch exports them: time first all along, directions joined, the last step taken."""
    node = helper.make_node
    stored = {
        "W": floats(2, 4 * UNITS, CHANNELS), "R": floats(2, 4 * UNITS, UNITS), "B": floats(2, 8 * UNITS),
        "W2": floats(1, 3 * UNITS, 2 * UNITS, seed=8), "R2": floats(1, 3 * UNITS, UNITS), "joined": ints(0, 0, -1),
        "one": ints(1), "two": ints(2), "units": ints(UNITS), "last": np.array(-1, np.int64), "axis": ints(1),
        "K": floats(UNITS, 2), "k": floats(2), "three": ints(0),
    }  # fmt: skip
    nodes = [
        node("Shape", ["x"], ["shape"]), node("Gather", ["shape", "zero"], ["n"]),
        node("Unsqueeze", ["n", "three"], ["n1"]),
        node("Concat", ["two", "n1", "units"], ["hs"], axis=0), node("ConstantOfShape", ["hs"], ["h0"]),
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node("LSTM", ["t", "W", "R", "B", "", "h0", "h0"], ["Y", "Yh", "Yc"], direction="bidirectional",
             hidden_size=UNITS),
        node("Transpose", ["Y"], ["Yt"], perm=[0, 2, 1, 3]), node("Reshape", ["Yt", "joined"], ["seq"]),
        node("Relu", ["seq"], ["act"]),
        node("GRU", ["act", "W2", "R2"], ["Y2", ""], hidden_size=UNITS),
        node("Squeeze", ["Y2", "axis"], ["s2"]), node("MatMul", ["s2", "K"], ["m"]), node("Add", ["m", "k"], ["a"]),
        node("Gather", ["a", "last"], ["y"], axis=0),
    ]  # fmt: skip
    model = chain(nodes, {**stored, "zero": np.array(0, np.int64)})
    x = samples(5)
    got = evaluate(from_object(model), x)
    np.testing.assert_allclose(got, reference(chain(nodes, {**stored, "zero": np.array(0, np.int64)}), {"x": x})[0],
                               rtol=1e-4, atol=1e-5)  # fmt: skip


def test_the_last_hidden_state_of_keras_exports() -> None:
    node = helper.make_node
    stored = {"W": floats(1, UNITS, CHANNELS), "R": floats(1, UNITS, UNITS), "axis": ints(0)}
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        node("RNN", ["t", "W", "R"], ["", "Yh"], hidden_size=UNITS), node("Squeeze", ["Yh", "axis"], ["y"]),
    ]  # fmt: skip
    graph = from_object(chain(nodes, stored))
    assert [n.op.last for n in graph.nodes if type(n.op).__name__ == "Scan"] == [True]
    x = samples()
    np.testing.assert_allclose(evaluate(graph, x), reference(chain(nodes, stored), {"x": x})[0], rtol=1e-5, atol=1e-6)
