"""Compile many kernels as one C++ program and run them on integers, to compare with ``evaluate``."""

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from gatewright.backends.hls4ml import kernels
from gatewright.backends.hls4ml.kernel import (
    KERNEL_RULES,
    Kernel,
    Numbers,
    carrier,
    from_carried,
    is_constant,
    to_carried,
)
from gatewright.graph import Array, Fixed, Format, Graph, Node, Op, Tensor, evaluate
from gatewright.graph.ops import Constant, Input, Output

GXX = shutil.which("g++")
needs_gxx = pytest.mark.skipif(GXX is None, reason="no g++")
LEAN = Path(kernels.__file__).parents[1] / "include"
VALUES = np.ndarray

HEAD = """
#include "ap_fixed.h"
#include "ap_int.h"
#include "hls_stream.h"
namespace nnet {
template <class T, unsigned N> struct array {
    typedef T value_type;
    static const unsigned size = N;
    T data[N];
    T &operator[](unsigned i) { return data[i]; }
    const T &operator[](unsigned i) const { return data[i]; }
};
} // namespace nnet
#include "gw_choose.h"
#include "gw_concat.h"
#include "gw_linear.h"
#include "gw_places.h"
#include "gw_pointwise.h"
#include "gw_pool.h"
#include "gw_rescale.h"
#include "gw_shape.h"
#include "gw_softmax.h"
template <class T> void get(const long long *from, T *to, unsigned n) {
    for (unsigned i = 0; i < n; i++) { ap_int<64> v = from[i]; to[i] = gw::stored<T>(v); }
}
template <class T> void put(const T *from, long long *to, unsigned n) {
    for (unsigned i = 0; i < n; i++) to[i] = ap_int<64>(gw::value(from[i])).to_int64();
}
template <class T, unsigned C> void feed(const T *from, hls::stream<nnet::array<T, C> > &to, unsigned n) {
    for (unsigned p = 0; p < n / C; p++) {
        nnet::array<T, C> pack;
        for (unsigned c = 0; c < C; c++) pack[c] = from[p * C + c];
        to.write(pack);
    }
}
template <class T, unsigned C> void drain(hls::stream<nnet::array<T, C> > &from, T *to, unsigned n) {
    for (unsigned p = 0; p < n / C; p++) {
        nnet::array<T, C> pack = from.read();
        for (unsigned c = 0; c < C; c++) to[p * C + c] = pack[c];
    }
}
"""


@dataclass(frozen=True)
class Case:
    """One node, fed by inputs of given formats."""

    name: str
    graph: Graph
    node: Node
    kernel: Kernel


Operand = tuple[tuple[int, ...], Format] | Constant


def case(name: str, op: Op, *operands: Operand) -> Case:
    """Build the graph of one operation: each operand is (shape, format) of an input, or a constant."""
    sources = [Node(o if isinstance(o, Constant) else Input(f"x{i}", *o)) for i, o in enumerate(operands)]
    node = Node(op, tuple(sources), where=name)
    assert node.type.is_integer, node.type.format
    inputs = tuple(s for s in sources if isinstance(s.op, Input))
    return Case(name, Graph(inputs, (Node(Output("y"), (node,)),)), node, KERNEL_RULES[type(op)](node))


def after(name: str, op: Op, inner: Node, *more: Node) -> Case:
    """Build a case whose operand is the result of another node, with its narrower interval."""
    node = Node(op, (inner, *more), where=name)
    inputs = tuple(i for i in inner.inputs if isinstance(i.op, Input))
    return Case(name, Graph(inputs, (Node(Output("y"), (node,)),)), node, KERNEL_RULES[type(op)](node))


def constant(values: object, format: Format) -> Constant:
    """Give a constant of stored integers."""
    return Constant(Array(np.asarray(values, np.int64)), format)


def cpp_type(format: Fixed) -> str:
    """Spell a format in C++."""
    return f"ap_{'' if format.signed else 'u'}fixed<{format.width}, {format.integer}>"


def _config(index: int, kernel: Kernel) -> str:
    rows = [f"static const unsigned n_in{i} = {n.type.size};" for i, n in enumerate(kernel.inputs)]
    rows += [f"static const unsigned n_out = {kernel.output.type.size};", "static const unsigned reuse_factor = 1;"]
    for name, numbers in kernel.constants.items():
        rows += [
            f"typedef {cpp_type(numbers.format)} {name}_t;",
            f"static const unsigned n_{name} = {numbers.values.data.size};",
        ]
    for name, value in kernel.config.items():
        assert isinstance(value, (int, bool)), name
        kind = "bool" if isinstance(value, bool) else "long long"
        rows.append(f"static const {kind} {name} = {str(value).lower() if isinstance(value, bool) else value};")
    return f"struct config{index} {{\n    " + "\n    ".join(rows) + "\n};\n"


def _table(index: int, name: str, numbers: Numbers) -> str:
    values = numbers.values.data.ravel().tolist()
    assert all(int(float(v)) == v for v in values), "a constant must survive as a double"
    text = ", ".join(f"{v}LL" for v in values)
    return f"static const long long {name}{index}_values[] = {{{text}}};\n"


def _ports(kernel: Kernel) -> list[tuple[str, str, int, int]]:
    """Name, type, elements, channels of each operand and of the result."""
    found = []
    for i, node in enumerate((*kernel.inputs, kernel.output)):
        name = "out" if node is kernel.output and i == len(kernel.inputs) else f"in{i}"
        found.append((name, cpp_type(carrier(node.type)), node.type.size, node.shape[-1] if node.shape else 1))
    return found


def _body(index: int, kernel: Kernel, stream: bool) -> str:
    ports = _ports(kernel)
    args = ", ".join(f"{'const ' if name != 'out' else ''}long long *{name}_values" for name, *_ in ports)
    rows = [f'extern "C" void {"stream" if stream else "array"}{index}({args}) {{']
    for name, numbers in kernel.constants.items():
        rows.append(f"    static config{index}::{name}_t {name}[{numbers.values.data.size}];")
        rows.append(f"    get({name}{index}_values, {name}, {numbers.values.data.size});")
    for name, kind, size, channels in ports:
        rows.append(f"    static {kind} {name}[{size}];")
        if stream:
            rows.append(f"    hls::stream<nnet::array<{kind}, {channels}> > {name}_stream;")
        if name != "out":
            rows.append(
                f"    get({name}_values, {name}, {size});"
                + (f" feed({name}, {name}_stream, {size});" if stream else "")
            )
    types = ", ".join(f"nnet::array<{k}, {c}>" if stream else k for _, k, _, c in ports)
    call = ", ".join([f"{p[0]}_stream" if stream else p[0] for p in ports] + list(kernel.constants))
    rows.append(f"    gw::{kernel.function}<{types}, config{index}>({call});")
    size = ports[-1][2]
    rows.append((f"    drain(out_stream, out, {size});" if stream else "") + f" put(out, out_values, {size});")
    rows += [f"    left += {name}_stream.size();" for name, *_ in ports if stream]
    return "\n".join(rows) + "\n}\n"


class Program:
    """The compiled kernels of some cases."""

    def __init__(
        self,
        cases: Sequence[Case],
        folder: Path,
        *,
        include: Path = LEAN,
        flags: Sequence[str] = ("-std=c++17",),
        compiler: Sequence[str] = (GXX or "g++",),
    ) -> None:
        self.cases = list(cases)
        source, library = folder / "kernels.cpp", folder / "kernels.so"
        source.write_text(self._text())
        written = {name: text.encode() for one in cases for name, text in one.kernel.sources.items()}
        for name, data in (kernels.headers() | written).items():
            (folder / name).write_bytes(data)
        places = [f"-I{folder}", f"-I{include}", "-o", str(library), str(source)]
        command = [*compiler, *flags, "-O1", "-shared", "-fPIC", *places]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[:6000]
        self.library = ctypes.CDLL(str(library))

    def _text(self) -> str:
        own = sorted({name for one in self.cases for name in one.kernel.sources})
        text = HEAD + "".join(f'#include "{name}"\n' for name in own) + "static long left = 0;\n"
        text += 'extern "C" long left_over() { long n = left; left = 0; return n; }\n'
        for i, one in enumerate(self.cases):
            text += "".join(_table(i, name, n) for name, n in one.kernel.constants.items())
            text += _config(i, one.kernel) + _body(i, one.kernel, False) + _body(i, one.kernel, True)
        return text

    def run(self, index: int, inputs: Sequence[np.ndarray], stream: bool) -> np.ndarray:
        """Feed carried integers [batch, *shape]; gives the result's carried integers [batch, *shape]."""
        one = self.cases[index]
        function = getattr(self.library, f"{'stream' if stream else 'array'}{index}")
        batch = len(inputs[0])
        result = np.zeros((batch, *one.node.shape), np.int64)
        feeds = [np.ascontiguousarray(x) for x in inputs]
        for b in range(batch):
            function(*(ctypes.c_void_p(x[b : b + 1].ctypes.data) for x in (*feeds, result)))
        assert self.library.left_over() == 0, "packs left in a stream"
        return result


def samples(rng: np.random.Generator, tensor: Tensor, count: int) -> np.ndarray:
    """Draw stored integers [count, *shape]: the whole range, the extremes, and numbers near 0."""
    low, high = (np.broadcast_to(b, tensor.shape) for b in tensor.quantized.bounds)
    drawn = rng.integers(low, high, (count, *tensor.shape), endpoint=True)
    near = np.clip(
        rng.integers(-9, 9, drawn.shape) + np.asarray(getattr(tensor.quantized.zero, "data", tensor.quantized.zero)),
        low,
        high,
    )
    kind = rng.integers(0, 8, drawn.shape)
    return np.where(kind == 0, low, np.where(kind == 1, high, np.where(kind == 2, near, drawn))).astype(np.int64)


def check(program: Program, index: int, rng: np.random.Generator, count: int = 12) -> None:
    """Compare arrays and streams with ``evaluate``, exactly."""
    one = program.cases[index]
    stored = [samples(rng, n.type, count) for n in one.graph.inputs]
    expected = np.asarray(evaluate(one.graph, stored if len(stored) > 1 else stored[0], integers=True))
    by_input = {n: to_carried(n.type, s) for n, s in zip(one.graph.inputs, stored, strict=True)}
    if any(n not in by_input for n in one.kernel.inputs):
        (inner,) = (n for n in one.kernel.inputs if n not in by_input)
        through = Graph(one.graph.inputs, (Node(Output("v"), (inner,)),))
        by_input[inner] = to_carried(
            inner.type, np.asarray(evaluate(through, stored if len(stored) > 1 else stored[0], integers=True))
        )
    fed = [by_input[n] for n in one.kernel.inputs]
    for stream in (False, True):
        got = from_carried(one.node.type, program.run(index, fed, stream))
        np.testing.assert_array_equal(
            got, expected, err_msg=f"{one.name}, {'streams' if stream else 'arrays'}: {one.node}"
        )


__all__ = ["Case", "Program", "after", "case", "check", "constant", "is_constant", "needs_gxx", "samples"]
