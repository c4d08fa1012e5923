"""The text of a graph: one line a node, all that matters on it, names that a reader and a compiler can use."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from gatewright.graph import (
    Affine,
    Array,
    Fixed,
    Float,
    Graph,
    Grid,
    Node,
    OptionError,
    Overflow,
    Rounding,
    op_name,
    parse_fixed,
)
from gatewright.graph.ops import OPS, Activation, Add, Constant, ConvTranspose, Dense, Input, Output, Quantize, Relu

from .test_file import network

X = Fixed(8, 3)


def test_one_line_a_node() -> None:
    x = Node(Input("x", (3,), X))
    w = Node(Constant(Array([[1, 2], [3, 4], [5, 6]]), Fixed(4, 1)), (), "fc")
    h = Node(Quantize(Fixed(6, 2, False), Rounding.TRN, Overflow.WRAP), (Node(Dense(), (x, w), "fc"),), "relu")
    assert (
        str(Graph((x,), (Node(Output("y"), (h,)),)))
        == (
            "%0 = input[name=x, shape=(3,)]() : 3 fixed<8,3>\n"
            "%1 = constant[value=#" + w.op.value.digest + "]() : 3x2 fixed<4,1>  # fc\n"  # type: ignore[attr-defined]
            "%2 = dense(%0, %1) : 2 fixed<12,4>  # fc\n"
            "%3 = quantize[rounding=TRN, overflow=WRAP](%2) : 2 ufixed<6,2>  # relu\n"
            "%4 = output[name=y](%3) : 2 ufixed<6,2>\n"
            "return %4"
        )
    )


def test_a_larger_graph(golden: Callable[[str, str], None]) -> None:
    golden("graph/network.txt", str(network()) + "\n")


def test_every_line_names_a_node() -> None:
    graph = network()
    lines = str(graph).splitlines()
    assert len(lines) == len(graph.nodes) + 1
    for number, (node, line) in enumerate(zip(graph.nodes, lines, strict=False)):
        assert line.startswith(f"%{number} = {op_name(node.op)}")


@pytest.mark.parametrize("name", sorted(OPS))
def test_names_of_operations(name: str) -> None:
    assert op_name(OPS[name]).replace("_", "") == name.lower()
    assert op_name(ConvTranspose) == "conv_transpose"


def test_names_are_unique_identifiers() -> None:
    """Whatever the source calls its layers: nothing, one name twice, other scripts, numbers, suffixes."""
    node = x = Node(Input("x", (1,), X))
    for where in (
        "",
        "a",
        "a",
        "a_relu",
        "a",
        "a_relu_2",
        "a/b:0",
        "a b 0",
        "1st",
        "層",
        "²",
        "_",
        "__",
        "relu",
        "",
        "relu_2",
    ):
        node = Node(Relu(), (node,), where)
    names = Graph((x,), (Node(Output("y"), (node,)),)).names
    assert len(set(names.values())) == len(names)
    assert all(n.isidentifier() and n.isascii() for n in names.values()), names
    assert list(names.values())[2:5] == ["a", "a_relu", "a_relu_relu"]


def test_the_same_graph_has_the_same_text() -> None:
    assert str(network()) == str(network())


def test_nodes_come_once_and_after_what_they_read() -> None:
    x = node = Node(Input("x", (1,), X))
    for _ in range(3000):  # a deep graph, and one with 2^3000 paths
        node = Node(Quantize(X), (Node(Add(), (node, node)),))
    graph = Graph((x,), (Node(Output("y"), (node,)),))
    place = {n: i for i, n in enumerate(graph.nodes)}
    assert len(place) == 6002
    assert all(place[i] < place[n] for n in graph.nodes for i in n.inputs)
    assert graph.users[x] == (graph.nodes[1],)


def test_rebuilding_shares_what_does_not_change() -> None:
    x = Node(Input("x", (1,), X))
    left, right = Node(Relu(), (x,), "left"), Node(Relu(), (x,), "right")
    graph = Graph((x,), (Node(Output("y"), (Node(Add(), (left, right)),)), Node(Output("z"), (right,))))
    other = graph.map(lambda n: Node(Activation("tanh"), n.inputs) if n.where == "left" else n)
    assert other.outputs[1] is graph.outputs[1]
    assert other.outputs[0] is not graph.outputs[0]
    assert "tanh" in str(other)
    assert str(other.outputs[0].type) == "1 float32"


def test_formats_in_words() -> None:
    assert str(Fixed(8, 3)) == "fixed<8,3>"
    assert str(Fixed(8, -3, False)) == "ufixed<8,-3>"
    assert str(Fixed(Grid(np.array([4, 6])), 1)) == "fixed<[4..6],1>"
    assert str(Affine(8, True, Fraction(1, 3))) == "int8(scale=0.333333)"
    assert str(Affine(8, False, Fraction(1, 3), 5)) == "uint8(scale=0.333333, zero=5)"
    assert str(Float()) == "float32"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fixed<8,3>", (Fixed(8, 3), Rounding.RND, Overflow.SAT)),
        ("ap_ufixed< 8, -2 >", (Fixed(8, -2, False), Rounding.RND, Overflow.SAT)),
        ("ap_fixed<16,6,AP_TRN,AP_WRAP>", (Fixed(16, 6), Rounding.TRN, Overflow.WRAP)),
        ("fixed<16,6,RND_CONV>", (Fixed(16, 6), Rounding.RND_CONV, Overflow.SAT)),
    ],
)
def test_formats_are_read(text: str, expected: tuple[Fixed, Rounding, Overflow]) -> None:
    assert parse_fixed(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "fixed", "fixed<8>", "fixed<8,3", "fixed<8,3,UP>", "fixed<8,3,RND,CLIP>", "fixed<a,b>", "float<8,3>",
     "fixed<8,3,RND,SAT,0>", "fixed<0,0>", "fixed<65,1>", "ufixed<64,1>", "fixed<8,9999>"],
)  # fmt: skip
def test_what_is_no_format_says_where(text: str) -> None:
    with pytest.raises(OptionError, match=r"^config\.toml: "):
        parse_fixed(text, where="config.toml")
