"""The graph's file: what is saved comes back, in the same bytes; all else is a FileError."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewright.graph import (
    Affine,
    Array,
    FileError,
    Fixed,
    Graph,
    Grid,
    Node,
    Overflow,
    Rounding,
    bodies,
    evaluate,
    trace,
)
from gatewright.graph.file import archive, load, npy, read_npy, to_bytes
from gatewright.graph.ops import (
    Activation,
    AvgPool,
    Constant,
    Dense,
    Div,
    Input,
    Mul,
    Output,
    Pad,
    Power,
    Quantize,
    Slice,
    Softmax,
)

from .drawn import Draw


def network() -> Graph:
    """Some of everything that a file must carry: grids, fractions, enumerations, None, scalars, floats, names."""
    x = Node(Input("x ü", (2, 3), Fixed(8, Grid(np.array([2, 3, 1]))), Rounding.RND_CONV, axes=(1, 0)), (), "in")
    w = Node(Constant(Array(np.arange(6).reshape(3, 2) - 3), Fixed(4, 1)))
    scale = Grid(np.array([*map(Affine(4, True, Fixed(2, 1).scale / 3).scale.__mul__, (1, 5))], dtype=object))
    b = Node(Constant(Array([300, -7]), Affine(16, True, scale, Grid(np.array([1, -2])))))
    h = Node(Dense(), (x, w, b), "dense/1")
    q = Node(Quantize(Fixed(6, 2, False), Rounding.TRN_ZERO, Overflow.WRAP, "why"), (h,), "q")
    cut = Node(Slice((1, 0), (None, 2), (-1, 1)), (q,))
    pad = Node(Pad(((0, 1), (1, 0)), 0.25), (cut,))
    pool = Node(AvgPool((2,), (1,), ((0, 1),), (1,), True, (1,)), (pad,))
    real = Node(Constant(Array(np.float32(0.5))))
    act = Node(Activation("leaky_relu", (0.1,)), (Node(Div(), (Node(Power(), (pool, real)), real)),))
    ends = (Node(Output("p", (1, 0)), (Node(Softmax(1), (act,)),)), Node(Output("q"), (Node(Mul(), (q, q)),)))
    return Graph((x,), ends, "net", "keras", ("a note",))


def same(a: Graph, b: Graph) -> None:
    assert str(a) == str(b)
    assert (a.name, a.source, a.notes) == (b.name, b.source, b.notes)
    assert [n.op for n in a.nodes if not bodies(n.op)] == [n.op for n in b.nodes if not bodies(n.op)]
    assert to_bytes(a) == to_bytes(b)


@pytest.mark.parametrize("name", ["net.gw", "net"])
def test_a_graph_comes_back(tmp_path: Path, name: str) -> None:
    graph = network()
    graph.save(tmp_path / name)
    loaded = load(tmp_path / name)
    same(graph, loaded)
    x = np.random.default_rng(0).normal(0, 1, (5, 3, 2))
    for one, other in zip(evaluate(graph, x), evaluate(loaded, x), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("seed", range(60))
def test_drawn_graphs_come_back(tmp_path: Path, seed: int) -> None:
    draw = Draw(seed)
    graph = draw.graph()
    graph.save(tmp_path / "g.gw")
    loaded = load(tmp_path / "g.gw")
    same(graph, loaded)
    samples = {n.op.name: draw.stored((4, *n.shape), n.type.quantized) for n in graph.inputs if isinstance(n.op, Input)}
    pair = (trace(g, samples, integers=True) for g in (graph, loaded))
    for one, other in zip(*(values.values() for values in pair), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_bytes_are_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a.gw", "b.gw"):
        network().save(tmp_path / name)
    assert (tmp_path / "a.gw").read_bytes() == (tmp_path / "b.gw").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.gw") as z:
        assert all(i.date_time == (1980, 1, 1, 0, 0, 0) for i in z.infolist())


def test_the_structure_is_reviewable(golden: Callable[[str, str], None]) -> None:
    golden("graph/graph.json", to_bytes(network())["graph.json"].decode())


@pytest.mark.parametrize(
    "data", [np.float32(2.5), np.zeros((1,)), np.arange(6).reshape(1, 2, 3), np.array(7), np.ones((2, 0))]
)
def test_arrays_keep_their_shape(data: Any) -> None:
    array = np.asarray(data)
    back = read_npy(npy(array))
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.uint32, np.bool_, np.int64])
def test_integers_of_any_type_are_the_same_graph(tmp_path: Path, kind: type) -> None:
    w = Node(
        Constant(
            Array(np.array([0, 1, 1], kind)),
            Fixed(Grid(np.array([2, 3, 4], np.int8)), 1, Grid(np.array([True, False, True]))),
        )
    )
    graph = Graph((), (Node(Output("y"), (w,)),))
    graph.save(tmp_path / "g.gw")
    same(graph, load(tmp_path / "g.gw"))


def test_integers_are_stored_in_few_bytes() -> None:
    w = Node(Constant(Array(np.full(5, 100)), Fixed(16, 1)))
    graph = Graph((), (Node(Output("y"), (w,)),))
    assert b"|i1" in to_bytes(graph)["weights.npz"]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot write"):
        network().save(tmp_path / "no" / "such" / "folder.gw")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot write"):
        network().save(tmp_path / "file")


# ---- damaged and hostile files -------------------------------------------------------------------------------------


def head() -> dict[str, Any]:
    return json.loads(to_bytes(network())["graph.json"])


def refused(tmp_path: Path, text: bytes | str, weights: bytes | None = None) -> FileError:
    """Whatever these two files are, reading them is a FileError, from a directory and from an archive."""
    files = {"graph.json": text.encode() if isinstance(text, str) else text}
    files["weights.npz"] = to_bytes(network())["weights.npz"] if weights is None else weights
    (tmp_path / "d").mkdir(exist_ok=True)
    for name, data in files.items():
        (tmp_path / "d" / name).write_bytes(data)
    (tmp_path / "f.gw").write_bytes(archive(files))
    for path in (tmp_path / "d", tmp_path / "f.gw"):
        with pytest.raises(FileError) as error:
            load(path)
        assert str(path) in str(error.value)
        assert len(str(error.value)) < 3000
    return error.value


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileError):
        load(tmp_path / "none.gw")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError):
        load(tmp_path / "empty")
    (tmp_path / "text.gw").write_text("hello")
    with pytest.raises(FileError):
        load(tmp_path / "text.gw")


def test_every_truncation(tmp_path: Path) -> None:
    network().save(tmp_path / "a.gw")
    whole = (tmp_path / "a.gw").read_bytes()
    for length in [*range(0, 200, 7), *range(200, len(whole), 211), len(whole) - 1]:
        (tmp_path / "cut.gw").write_bytes(whole[:length])
        with pytest.raises(FileError):
            load(tmp_path / "cut.gw")


def test_flipped_bytes_are_found_or_harmless(tmp_path: Path) -> None:
    """Archives have check sums; whatever a flip does, nothing but a FileError comes out."""
    network().save(tmp_path / "a.gw")
    whole = bytearray((tmp_path / "a.gw").read_bytes())
    rng = np.random.default_rng(3)
    for at in rng.integers(0, len(whole), 300):
        flipped = whole.copy()
        flipped[at] ^= int(rng.integers(1, 256))
        (tmp_path / "b.gw").write_bytes(flipped)
        try:
            graph = load(tmp_path / "b.gw")
        except FileError:
            continue
        assert str(graph) == str(network())


def test_every_value_replaced_by_every_other(tmp_path: Path) -> None:
    """Each entry of the structure in turn becomes something that it should not be."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "weights.npz").write_bytes(to_bytes(network())["weights.npz"])
    for bad in (
        None,
        True,
        -1,
        10**30,
        1.5,
        "x",
        [],
        [[]],
        {},
        {"array": "n9_x"},
        {"fixed": [1, 2]},
        {"affine": [8, True, "1/0", 0]},
    ):
        for change in replacements(head(), bad):
            (tmp_path / "d" / "graph.json").write_text(json.dumps(change))
            try:
                graph = load(tmp_path / "d")
            except FileError:
                continue
            str(graph)  # it is a graph, if another one
            to_bytes(graph)


def replacements(value: Any, bad: Any) -> Any:
    """Give each copy of a tree in which one value, at any depth, is ``bad``."""
    yield bad
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        for change in replacements(inner, bad):
            copy = value.copy()
            copy[key] = change
            yield copy


@pytest.mark.parametrize("key", sorted(head()))
def test_a_missing_key(tmp_path: Path, key: str) -> None:
    tree = head()
    del tree[key]
    refused(tmp_path, json.dumps(tree))


def test_another_schema(tmp_path: Path) -> None:
    assert "schema 2" in str(refused(tmp_path, json.dumps(head() | {"schema": 2})))


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"nodes":['])
def test_deep_nesting(tmp_path: Path, opening: str) -> None:
    refused(tmp_path, opening * 200_000)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", '"text"', "NaN", "\x00", "1" * 10_000, '{"schema": 1}', "\ufeff{}"]
)
def test_another_text(tmp_path: Path, text: str) -> None:
    refused(tmp_path, text)


def test_text_that_is_not_unicode(tmp_path: Path) -> None:
    refused(tmp_path, b'{"schema": 1, "name": "\xff\xfe"}')


@pytest.mark.parametrize("bad", [[0], [1], [99], [-1], ["0"], [True], [1.0], [[]], "00", None])
def test_indices_of_nodes_that_are_not_before(tmp_path: Path, bad: Any) -> None:
    """Cycles, forward and negative references: each node reads only what stands before it."""
    tree = head()
    tree["nodes"][0]["inputs"] = bad
    refused(tmp_path, json.dumps(tree))
    tree = head()
    tree["outputs"] = bad
    refused(tmp_path, json.dumps(tree))


def test_a_cycle(tmp_path: Path) -> None:
    tree = head()
    for entry in tree["nodes"]:
        if entry["op"] == "Mul":
            entry["inputs"] = [tree["nodes"].index(entry)] * 2
    assert "reads" in str(refused(tmp_path, json.dumps(tree)))


def test_inputs_that_are_not_listed(tmp_path: Path) -> None:
    assert "inputs and outputs" in str(refused(tmp_path, json.dumps(head() | {"inputs": []})))


def test_two_outputs_of_one_name(tmp_path: Path) -> None:
    text = json.dumps(head()).replace('"name": "q"', '"name": "p"')
    assert "one name" in str(refused(tmp_path, text))


def test_unknown_operations_and_attributes(tmp_path: Path) -> None:
    tree = head()
    tree["nodes"][-1]["op"] = "Exec"
    refused(tmp_path, json.dumps(tree))
    tree = head()
    tree["nodes"][-1]["color"] = "red"
    assert "has no color" in str(refused(tmp_path, json.dumps(tree)))


def weights(**changes: bytes | None) -> bytes:
    """The archive of arrays with members replaced (or left out, for None)."""
    with zipfile.ZipFile(io.BytesIO(to_bytes(network())["weights.npz"])) as z:
        members = {name: z.read(name) for name in z.namelist()}
    first = min(members)
    for change in changes.values():
        del members[first]
        if change is not None:
            members[first] = change
    return archive(members)


class Boom:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("boom").write_text, ("ran",))


def test_arrays_that_are_not_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.array([Boom()], dtype=object), allow_pickle=True)
    text = to_bytes(network())["graph.json"]
    kinds = (
        np.array(["a"]),
        np.array([1j]),
        np.zeros(2, "m8[s]"),
        np.zeros(2, [("a", "i4")]),
        np.asfortranarray(np.ones((2, 2))),
    )
    bad = [
        stream.getvalue(),
        pickle.dumps(Boom()),
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff{",
        *map(plain, kinds),
    ]
    for data in bad:
        refused(tmp_path, text, weights(first=data))
    assert not (tmp_path / "boom").exists()


def plain(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=False)
    return stream.getvalue()


def test_arrays_that_are_not_there(tmp_path: Path) -> None:
    text = to_bytes(network())["graph.json"]
    refused(tmp_path, text, weights(first=None))
    for data in (b"", b"PK", pickle.dumps(Boom()), archive({})):
        refused(tmp_path, text, data)


@pytest.mark.parametrize("shape", [(10**15,), (2**40, 2**40), (-1,), (10**9, 3)])
def test_arrays_that_claim_to_be_huge(tmp_path: Path, shape: tuple[int, ...]) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<i8", "fortran_order": False, "shape": shape})
    refused(tmp_path, to_bytes(network())["graph.json"], weights(first=stream.getvalue() + bytes(64)))


def test_shapes_that_claim_to_be_huge(tmp_path: Path) -> None:
    for shape in ([10**12], [2**31, 2**31], [0], [-3]):
        tree = head()
        tree["nodes"][0]["shape"] = shape
        refused(tmp_path, json.dumps(tree))


def test_compressed_archives_are_not_unpacked(tmp_path: Path) -> None:
    """A small file could otherwise hold terabytes of zeros."""
    with zipfile.ZipFile(tmp_path / "bomb.gw", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("graph.json", "0" * 10_000_000)
        z.writestr("weights.npz", b"")
    with pytest.raises(FileError, match="is compressed"):
        load(tmp_path / "bomb.gw")


def test_floats_where_integers_belong(tmp_path: Path) -> None:
    text = to_bytes(network())["graph.json"]
    names = zipfile.ZipFile(io.BytesIO(to_bytes(network())["weights.npz"])).namelist()
    assert names
    for value in (
        np.full((3, 2), 1.5),
        np.full((3, 2), np.nan),
        np.full((3, 2), 99),
        np.ones((2, 2), np.int64),
        np.array(1),
    ):
        refused(tmp_path, text, weights(first=npy(value)))
