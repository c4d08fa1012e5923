"""The self-test passes in every network, and names the first step whose weights or results are wrong."""

import re
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

import gatewright as gw
from gatewright.backends.firmware.emit import emit, read_description
from gatewright.backends.firmware.host import FILLED, Network
from gatewright.backends.firmware.selftest import numbers
from gatewright.backends.project import Project
from gatewright.boards import load
from gatewright.graph import Affine, Array, Fixed, Graph, Node, Overflow, Rounding
from gatewright.graph.ops import Add, Concat, Constant, Dense, Input, Mul, Output, Quantize, Quotient, Relu, Take

from ....recurrent import lstm_and_dense
from .cores import Machine, place, symbols
from .made import completed, described, host_selftest, made

CORES = {"cortex-m4": "cortex-m4", "cortex-m0plus": "cortex-m0plus", "riscv32-generic": "rv32"}


@pytest.mark.parametrize("board", CORES)
def test_it_passes_on_an_emulated_core(board: str) -> None:
    project = completed("small_cnn", board)
    machine = Machine(project.files["image/small_cnn.elf"], CORES[board])
    assert machine.run() == 0
    assert machine.said == "small_cnn: the self-test passed\n"


def test_a_changed_weight_byte_in_the_image_names_its_layer() -> None:
    project = completed("small_cnn", "cortex-m4")
    image, layers = project.files["image/small_cnn.elf"], described(project)["layers"]
    found, seen = symbols(image), set()
    for i, layer in enumerate(layers):
        for weights in set(layer["weights"]) - seen:
            address, size = found[weights]
            for at in {0, size // 2, size - 1}:
                broken = bytearray(image)
                broken[place(image, address + at)] ^= 0x10
                machine = Machine(bytes(broken), "cortex-m4")
                assert machine.run() == 1 + i, (layer["name"], weights, at)
                assert machine.said == f"small_cnn: the self-test failed at {layer['name']}\n"
        seen |= set(layer["weights"])
    assert len(seen) > 5


def test_a_changed_instruction_names_the_layer_that_it_is_part_of() -> None:
    project = completed("small_cnn", "cortex-m4")
    image, layers = project.files["image/small_cnn.elf"], described(project)["layers"]
    found = symbols(image)
    index = next(i for i, layer in enumerate(layers) if layer["macs"])
    address, size = found[layers[index]["symbol"]]
    broken = bytearray(image)
    at = place(image, address & ~1)
    broken[at : at + 2] = bytes.fromhex("7047")  # bx lr: the layer does nothing
    machine = Machine(bytes(broken), "cortex-m4")
    assert size > 2
    assert machine.run() == 1 + index


def test_a_changed_expectation_is_told_as_the_outputs() -> None:
    project = completed("small_cnn", "cortex-m4")
    path = "src/small_cnn_selftest.c"
    text = project.files[path].decode()
    first = re.search(r"expected0\[\d+\] GW_ALIGNED\(4\) = \{\n(-?\d+),", text)
    assert first is not None
    other = text.replace(first[0], first[0].replace(f"\n{first[1]},", f"\n{int(first[1]) ^ 1},"))
    code, name = host_selftest(Project({**project.files, path: other.encode()}))
    assert (code, name) == (len(described(project)["layers"]) + 1, "the outputs")


def _floats() -> Graph:
    rng = np.random.default_rng(3)
    x = Node(Input("x", (12,)))
    w = Node(Constant(Array(rng.normal(0, 0.5, (12, 5)).astype(np.float32))))
    b = Node(Constant(Array(rng.normal(0, 0.5, 5).astype(np.float32))))
    return Graph((x,), (Node(Output("y"), (Node(Relu(), (Node(Dense(), (x, w, b), "dense"),)),)),), "floats")


def _rectified() -> Graph:
    """Floats that nothing but a concatenation computes."""
    x = Node(Input("x", (17,)))
    return Graph((x,), (Node(Output("y"), (Node(Concat(0), (x, Node(Relu(), (x,)))),)),), "rectified")


def _indices() -> Graph:
    rng = np.random.default_rng(4)
    table = Node(Constant(Array(rng.integers(-127, 128, (9, 4))), Fixed(8, 4)))
    x = Node(Input("words", (6,), Fixed(16, 16)))
    return Graph((x,), (Node(Output("y"), (Node(Take(0), (table, x), "embedding"),)),), "indices")


def _quotients() -> Graph:
    a, b = (Node(Input(name, (5, 3), Fixed(8, 8))) for name in "ab")
    return Graph((a, b), (Node(Output("y"), (Node(Quotient(), (a, b), "divide"),)),), "quotients")


def _moved() -> Graph:
    x = Node(Input("x", (4, 3), Affine(8, True, Fraction(1, 9), 3), axes=(1, 0)))
    y = Node(Quantize(Fixed(8, 3)), (x,), "scale")
    return Graph((x,), (Node(Output("y", (1, 0)), (y,)),), "moved")


def _recurrent() -> Graph:
    samples = np.random.default_rng(5).normal(0, 1, (8, 6, 4)).astype(np.float32)
    return gw.lower(lstm_and_dense(6, 4, 5), board="cortex-m4", precision="fixed<12,4>", samples=samples)


def _wide() -> Graph:
    """32-bit inputs over their whole range; so many that their seeds begin anew."""
    ports = [Node(Input(f"x{i}", (3,), Fixed(32, 32))) for i in range(258)]
    scaled = [(i, Node(Quantize(Fixed(40, 40)), (ports[i],), f"scale{i}")) for i in (0, 1, 257)]
    return Graph(tuple(ports), tuple(Node(Output(f"y{i}"), (y,)) for i, y in scaled), "wide")


@pytest.mark.parametrize("graph", [_floats, _rectified, _indices, _quotients, _moved, _recurrent, _wide])
def test_it_passes_on_this_machine(graph: Callable[[], Graph]) -> None:
    project = made(graph(), "cortex-m4")
    assert host_selftest(project) == (0, "")
    text = next(data for path, data in project.files.items() if path.endswith("_selftest.c")).decode()
    assert "#define RUNS 3" in text


def test_it_finds_a_changed_float() -> None:
    project = made(_floats(), "cortex-m4")
    path = "src/floats_weights.h"
    text = project.files[path].decode()
    number = re.search(r"\d\.\d+f", text)
    assert number is not None
    other = text.replace(number[0], "3.0f", 1)
    assert host_selftest(Project({**project.files, path: other.encode()}))[0] == 1


def test_the_generator_has_no_pattern() -> None:
    found = numbers(65537, 1 << 16)
    assert found[:3].tolist() == [int(numbers(65537 + i, 1)[0]) for i in range(3)]
    assert np.unique(found).size == found.size
    share = np.unpackbits(found.view(np.uint8)).mean()
    assert abs(float(share) - 0.5) < 0.01


def test_nothing_is_written_behind_a_row() -> None:
    """Numbers of 64 bits that are narrowed with saturation, in rows that fill no vector."""
    rng = np.random.default_rng(1)

    def constant(format: Fixed) -> Node:
        return Node(Constant(Array(rng.integers(-(2**15), 2**15, (1, 13))), format))

    x, y = (Node(Input(name, (1, size), Fixed(16, 2))) for name, size in (("x", 13), ("y", 1)))
    product = Node(Mul(), (Node(Mul(), (x, y)), constant(Fixed(16, 0))))
    total = Node(Add(), (product, constant(Fixed(16, 0))))
    graph = Graph((x, y), (Node(Output("z"), (Node(Quantize(Fixed(16, 2), Rounding.RND, Overflow.SAT), (total,)),)),))
    files = emit(graph, load("nucleo-l4r5zi")).files
    described = read_description(files)
    size = described["arena_bytes"]
    (after,) = Network(files, described).trace([np.zeros((1, 13)), np.zeros((1, 1))], [(0, size)])
    used = np.zeros(size, bool)
    for port in described["inputs"] + described["outputs"]:
        used[port["offset"] : port["offset"] + 2 * int(np.prod(port["shape"]))] = True
    assert (np.frombuffer(after, np.uint8)[~used] == FILLED).all()
    assert not used.all()
