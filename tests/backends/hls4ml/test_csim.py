"""The C simulation of what hls4ml's own layers and the kernels make of each operation equals evaluate, bit for bit.

Many small networks are compiled at once, each in a namespace of its own: a compiler spends most of its time on headers.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gatewright.backends.hls4ml import CompileError, Options, Simulation, SimulationError, emit, verify
from gatewright.backends.hls4ml.csim import compile_projects
from gatewright.graph import FileError, Fixed, Graph, Node, ShapeError, UnsupportedError
from gatewright.graph.ops import Conv, Dense, Input, Output
from gatewright.simulation import make_vectors

from .networks import KINDS, Draw, jet_tagger, unread_port

PART = "xc7z020clg400-1"


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = os.environ.get("GATEWRIGHT_CACHE")
    os.environ["GATEWRIGHT_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["GATEWRIGHT_CACHE"]
    else:
        os.environ["GATEWRIGHT_CACHE"] = before


def check_all(graphs: list[Graph], vectors: int = 48, **asked: object) -> None:
    """Compile all into one library; each must be exact."""
    options = [Options(PART, namespace=f"n{i}", **asked) for i in range(len(graphs))]  # type: ignore[arg-type]
    graphs = [replace(g, name=f"net_{i}") for i, g in enumerate(graphs)]
    projects = [emit(g, None, o) for g, o in zip(graphs, options, strict=True)]
    library = compile_projects([p.files for p in projects])
    assert library.types == asked.get("types", "lean")
    wrong = []
    for i, (g, p) in enumerate(zip(graphs, projects, strict=True)):
        found = verify(g, Simulation(g, p, library=library, index=i), make_vectors(g, vectors, seed=i))
        if found.status != "exact":
            wrong.append(f"{found}\n{g}")
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_each_kind_is_exact(io: str) -> None:
    check_all([KINDS[kind](Draw(seed)) for kind in KINDS for seed in range(2)], io=io)


@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_strategy_resource_is_exact(io: str) -> None:
    check_all([KINDS[kind](Draw(seed)) for kind in ("dense", "conv") for seed in range(20, 23)], io=io,
              strategy="resource", reuse_factor=3)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("tool", "types"), [("vitis", "lean"), ("vitis", "vendor"), ("vivado", "lean")])
@pytest.mark.parametrize("io", ["parallel", "stream"])
@pytest.mark.parametrize("kind", KINDS)
def test_sweep(kind: str, io: str, tool: str, types: str) -> None:
    check_all([KINDS[kind](Draw(seed)) for seed in range(100, 140)], 128, io=io, tool=tool, types=types)


@pytest.fixture(scope="module")
def tagger() -> tuple[Graph, Simulation]:
    graph = jet_tagger()
    return graph, Simulation(graph, emit(graph, None, Options(PART)))


def test_a_project_is_verified(tagger: tuple[Graph, Simulation]) -> None:
    graph, simulation = tagger
    found = verify(graph, simulation, make_vectors(graph, 512))
    assert (found.status, found.vectors, found.mismatches, found.first_mismatch) == ("exact", 512, 0, None)
    assert "C simulation" in found.engine
    assert found.as_dict()["status"] == "exact"


def test_a_project_is_simulated_from_its_directory(tagger: tuple[Graph, Simulation], tmp_path: Path) -> None:
    graph, simulation = tagger
    emit(graph, None, Options(PART)).write(tmp_path)
    vectors = make_vectors(graph, 8)
    (again,) = Simulation(graph, tmp_path).run(vectors)
    assert np.array_equal(again, simulation.run(vectors)[0])


def test_the_first_differing_layer_is_named(tagger: tuple[Graph, Simulation]) -> None:
    """One weight of the second layer is another in the project: that layer is blamed, not the outputs."""
    graph, simulation = tagger
    text = simulation.files["firmware/weights/w4.txt"].decode().split(", ")
    text[5] = "0.5" if float(text[5]) != 0.5 else "-0.5"
    files = {**simulation.files, "firmware/weights/w4.txt": ", ".join(text).encode()}
    found = verify(graph, files, make_vectors(graph, 64))
    assert found.status == "failed"
    assert found.mismatches > 0
    first = found.first_mismatch
    assert first is not None
    assert first.layer == "fc1" or first.layer == "relu1"
    assert first.index == (5,)
    assert first.expected != first.got
    assert found.as_dict()["first_mismatch"]["index"] == [5]


def test_inputs_that_do_not_fit_are_refused(tagger: tuple[Graph, Simulation]) -> None:
    _, simulation = tagger
    with pytest.raises(ShapeError, match="integers"):
        simulation.run([np.zeros((3, 16))])
    with pytest.raises(ShapeError, match="16"):
        simulation.run([np.zeros((3, 15), np.int64)])
    with pytest.raises(ShapeError, match="1 inputs"):
        simulation.run([])


def test_code_that_does_not_compile_is_an_error_with_its_first_line(tagger: tuple[Graph, Simulation]) -> None:
    graph, simulation = tagger
    code = simulation.files["firmware/jet_tagger.cpp"].replace(b"nnet::relu<", b"nnet::no_such_layer<", 1)
    with pytest.raises(CompileError, match="no_such_layer"):
        Simulation(graph, {**simulation.files, "firmware/jet_tagger.cpp": code}).run(make_vectors(graph, 1))


@pytest.mark.parametrize(("statement", "message"), [(b"abort();", "status -6"), (b"for (;;) {}", "ran for over")])
def test_a_simulation_that_aborts_or_hangs_does_no_harm(
    tagger: tuple[Graph, Simulation], statement: bytes, message: str
) -> None:
    graph, good = tagger
    code = good.files["firmware/jet_tagger.cpp"].replace(b"    nnet::relu<", b"    " + statement + b" nnet::relu<", 1)
    simulation = Simulation(graph, {**good.files, "firmware/jet_tagger.cpp": code})
    assert simulation.library.folder.is_dir()
    simulation.timeout = 3.0
    with pytest.raises(SimulationError, match=message):
        simulation.run(make_vectors(graph, 1))


def test_a_damaged_or_foreign_project_is_refused(tagger: tuple[Graph, Simulation]) -> None:
    graph, simulation = tagger
    with pytest.raises(FileError, match=r"no gatewright\.json"):
        Simulation(graph, {})
    with pytest.raises(FileError, match="damaged"):
        Simulation(graph, {**simulation.files, "gatewright.json": b"{"})
    x = Node(Input("x", (2,), Fixed(4, 2)), (), "x")
    other = Graph((x,), (Node(Output("y"), (x,)),))
    with pytest.raises(SimulationError, match="not one of this graph"):
        Simulation(other, simulation.files)


def test_numbers_wider_than_a_double_are_exact() -> None:
    """Products of 33 by 29 bits: a bridge of doubles would lose their last digits."""
    draw = Draw(5)
    x = draw.input((2,), "wide", Fixed(33, 10))
    product = Node(Dense(), (x, draw.constant((2, 2), Fixed(29, 3))), "product")
    check_all([Graph((x,), (Node(Output("y"), (product,)),))])


def test_an_input_that_nothing_reads_is_fine_as_an_array_and_refused_as_a_stream() -> None:
    check_all([unread_port(Draw(0))], io="parallel")
    with pytest.raises(UnsupportedError, match="nothing reads the input 'unread'"):
        check_all([unread_port(Draw(0))], io="stream")


def test_a_stream_that_is_not_emptied_fails_the_run() -> None:
    """The count of the lean headers reaches the user: such a design hangs in hardware."""
    network = KINDS["dense"](Draw(0))
    project = emit(network, None, Options(PART, io="stream"))
    files = dict(project.files)
    top = next(path for path in files if path.startswith("firmware/") and path.endswith(".cpp"))
    text = files[top].decode()
    line = next(x for x in text.splitlines() if "hls::stream<layer" in x and "_out(" in x)
    kind = line.strip().split(">")[0].partition("<")[2]
    forgotten = f'{line}\n    hls::stream<{kind}> forgotten("forgotten");\n    forgotten.write({kind}());'
    files[top] = text.replace(line, forgotten, 1).encode()
    vectors = [np.zeros((2, *node.shape), np.int64) for node in network.inputs]
    with pytest.raises(SimulationError, match="streams left with data in them"):
        Simulation(network, files).run(vectors)


def test_padded_sequences_behind_a_fork() -> None:
    """hls4ml's own padding of 1-D convolutions is connected to the wrong copy where a stream is read twice."""
    draw = Draw(3)
    x = draw.input((9, 2), "x")
    sides = [
        Node(Conv((1,), (pads,), (1,)), (x, draw.constant((3, 2, 3), Fixed(4, 1))), f"conv{i}")
        for i, pads in enumerate([(1, 1), (2, 0)])
    ]
    check_all([Graph((x,), tuple(Node(Output(f"y{i}"), (n,)) for i, n in enumerate(sides)), "padded")], io="stream")
