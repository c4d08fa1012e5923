"""Networks compiled for other processors give the bytes that ``evaluate`` gives, under qemu-user."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tvm", reason="the CPU back end needs the extra `tvm`")

import gatewright
from gatewright.backends.loops.layout import interface_type
from gatewright.graph import Fixed, Float, Graph, Node, Rounding, evaluate
from gatewright.graph.ops import Dense, Input, Output, Quantize
from gatewright.simulation import make_vectors

from ..cases import attention, byte_products, floats, formats, products, rows, winograd
from ..cases.common import Trial, in_memory
from . import emulated
from .networks import digits, small_cnn

ROOT = Path(__file__).parents[3]
MLPERF = ROOT.parent / "shared/models/mlperf_tiny"
NAMES = ("ad01_int8", "dscnn_kws_int8", "resnet8_int8", "vww_96_int8")


def check(machine: str, graph: Graph, count: int) -> None:
    target = emulated.MACHINES[machine]
    emulated.need(target)
    inputs, wanted = emulated.expected(graph, make_vectors(graph, count))
    for got, want in zip(emulated.run(target, graph, inputs), wanted, strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("machine", emulated.MACHINES)
def test_digits(machine: str) -> None:
    check(machine, digits(), 64)


@pytest.mark.parametrize("machine", emulated.MACHINES)
def test_small_cnn(machine: str) -> None:
    check(machine, small_cnn(), 32)


@pytest.mark.parametrize(
    ("machine", "make"),
    [("aarch64-i8mm", byte_products.layers), ("aarch64-i8mm", byte_products.matrices),
     pytest.param("aarch64-dotprod", byte_products.matrices, marks=pytest.mark.slow)],
)
def test_products_of_bytes(machine: str, make: Callable[[], Iterator[Node]]) -> None:
    check(machine, byte_products.graph_of(make()), 3)


def test_two_rows_by_two_columns_take_fewer_instructions() -> None:
    graph = byte_products.graph_of(iter([byte_products.layer("points", Dense(), (49, 96), (96, 64))]))
    inputs, _ = emulated.expected(graph, make_vectors(graph, 1))
    ran = []
    for machine in ("aarch64-dotprod", "aarch64-i8mm"):
        target = emulated.MACHINES[machine]
        emulated.need(target)
        ran.append(emulated.instructions(target, graph, inputs))
    assert ran[1] < 0.7 * ran[0]


@pytest.mark.parametrize("machine", emulated.MACHINES)
@pytest.mark.parametrize("format", [Fixed(40, 20), Fixed(52, 12), Fixed(12, 7)], ids=str)
def test_real_numbers_become_integers(format: Fixed, machine: str) -> None:
    target = emulated.MACHINES[machine]
    emulated.need(target)
    x = Node(Input("x", (3, 5), Float()))
    y = Node(Quantize(format, Rounding.RND_CONV), (x,))
    graph = Graph((x,), (Node(Output("y"), (y,)),), "real")
    rng = np.random.default_rng(2)
    values = np.concatenate([rng.normal(0, s, (4, 3, 5)) for s in (1e-3, 1, 1e3, 1e9, 1e20)]).astype(np.float32)
    wanted = np.asarray(evaluate(graph, values, integers=True))
    np.testing.assert_array_equal(emulated.run(target, graph, [values])[0], wanted)


@pytest.mark.slow
@pytest.mark.parametrize("machine", emulated.MACHINES)
def test_floats_of_16_bits(machine: str) -> None:
    target = emulated.MACHINES[machine]
    emulated.need(target)
    for trial in (floats.rounding_to_halves(), floats.halves(1, 0)):
        pairs = zip(trial.graph.inputs, trial.fed, strict=True)
        fed = [in_memory(v, interface_type(n)) for n, v in pairs]
        wrong = trial.wrong(emulated.run(target, trial.graph, fed))
        assert not wrong, wrong[:9]


@pytest.mark.slow
@pytest.mark.parametrize("machine", emulated.MACHINES)
@pytest.mark.parametrize("made", [attention.attention, winograd.winograd_windows])
def test_blocks_of_floats(made: Callable[[int, int], Trial], machine: str) -> None:
    target, trial = emulated.MACHINES[machine], made(1, 0)
    emulated.need(target)
    wrong = trial.wrong(emulated.run(target, trial.graph, trial.fed))
    assert not wrong, wrong[:9]


ROWS = [
    rows.groups, rows.rejoined, rows.heads_of_integers, formats.sums_are_quantized, products.transposed_convolutions,
]  # fmt: skip


@pytest.mark.parametrize("machine", [
    "aarch64-i8mm", *(pytest.param(m, marks=pytest.mark.slow) for m in emulated.MACHINES if m != "aarch64-i8mm"),
])  # fmt: skip
@pytest.mark.parametrize("made", ROWS)
def test_what_is_computed_together(made: Callable[[int, int], Trial], machine: str) -> None:
    target, trial = emulated.MACHINES[machine], made(1, 0)
    emulated.need(target)
    fed = [in_memory(v, interface_type(n)) for n, v in zip(trial.graph.inputs, trial.fed, strict=True)]
    wrong = trial.wrong(emulated.run(target, trial.graph, fed))
    assert not wrong, wrong[:9]


def test_helpers_of_32_bit_arm(tmp_path: Path) -> None:
    """What stands for instructions that the core lacks, against Python's integers."""
    target = emulated.MACHINES["armv7-neon"]
    emulated.need(target)
    numbers = [0, 1, -1, 7, -7, 1000, 2**31 - 1, -(2**31), 2**32, 2**53 + 1, -(2**53) - 3, 2**62 + 12345, -(2**62)]
    table = np.array([(a, b) for a in numbers for b in numbers if b], np.int64)
    got = emulated.arm_helpers(target, tmp_path, table)
    for (a, b), row in zip(table.tolist(), got.tolist(), strict=True):
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        c, d = (int(v) for v in np.array([a, b | 1]).astype(np.int32))
        low = abs(c) // abs(d) * (1 if (c < 0) == (d < 0) else -1)
        sum32 = int(np.int64(low + c - low * d).astype(np.int32))
        assert row == (quotient, a - quotient * b, int(float(a)), float(np.int64(a).astype(np.float32)), sum32)


@cache
def mlperf(name: str) -> Graph:
    path = MLPERF / f"{name}.tflite"
    if not path.is_file():
        pytest.skip(f"no {path.name} in ../shared/models/mlperf_tiny")
    return gatewright.load(path)


@pytest.mark.slow
@pytest.mark.parametrize("machine", emulated.MACHINES)
@pytest.mark.parametrize("name", NAMES)
def test_mlperf_tiny(name: str, machine: str) -> None:
    check(machine, mlperf(name), 4)
