"""Every tile that a tuner may choose computes the same numbers, inside of its tensors."""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pytest

from gatewright.backends.loops.builder import make_program
from gatewright.backends.loops.program import layers_of
from gatewright.backends.loops.schedule import Free, Tile
from gatewright.graph import Affine, Fixed, Graph, Node, OptionError
from gatewright.graph.ops import Conv, Dense, Input, MatMul, Output

from ..cases.common import case, differences, drawn, joined, vectors
from .networks import small_cnn
from .support import MACHINES, Library, check, host

BYTE, WORD = Affine(8, True, Fraction(1, 32), 3), Fixed(20, 3)


def free(graph: Graph, machine: str = "host") -> dict[str, Free]:
    """What is free in each layer, by its description."""
    return layers_of(make_program(graph, MACHINES[machine]))


def layers() -> Graph:
    rng = np.random.default_rng(11)
    w = Fixed(8, 4)
    return joined([
        case("conv", Conv((2, 1), ((1, 1), (1, 1)), (1, 1)), ((9, 7, 5), BYTE), drawn(rng, (3, 3, 5, 37), w)),
        case("point", Conv((1, 1), ((0, 0), (0, 0)), (1, 1)), ((6, 5, 8), BYTE), drawn(rng, (1, 1, 8, 40), w)),
        case("groups", Conv((1, 1), ((1, 1), (0, 0)), (1, 1), 2), ((5, 6, 8), BYTE), drawn(rng, (3, 1, 4, 10), w)),
        case("depth", Conv((1, 2), ((1, 1), (1, 1)), (1, 1), 21), ((6, 13, 21), BYTE), drawn(rng, (3, 3, 1, 21), w)),
        case("words", Conv((1, 1), ((1, 1), (1, 1)), (1, 1), 20), ((5, 6, 20), WORD), drawn(rng, (3, 3, 1, 20), w)),
        case("dense", Dense(), ((50,), BYTE), drawn(rng, (50, 100), w)),
        case("long", Dense(), ((4, 12), Fixed(30, 2)), drawn(rng, (12, 19), Fixed(20, 3))),
        case("matrices", MatMul(), ((2, 9, 12), BYTE), ((2, 12, 33), BYTE)),
    ])  # fmt: skip


def picked(found: Mapping[str, Free], turn: int) -> dict[str, Tile]:
    """Give each layer one of its tiles."""
    return {layer: f.tiles[(turn * 7) % len(f.tiles)] for layer, f in found.items()}


@pytest.mark.parametrize("turn", range(1, 5))
def test_any_tile_computes_the_same(turn: int) -> None:
    graph = layers()
    tiles = picked(free(graph), turn)
    assert len(tiles) == len(graph.outputs)
    library = check(graph, tiles=tiles, count=2)
    taken = {layer: f.tile for layer, f in layers_of(library.program).items()}
    assert taken == tiles


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
def test_every_tile_computes_the_same(machine: str) -> None:
    graph = layers()
    found = free(graph, machine)
    fed = vectors(graph, 2)
    for turn in range(max(len(f.tiles) for f in found.values())):
        tiles = {layer: f.tiles[turn % len(f.tiles)] for layer, f in found.items()}
        got, _ = Library(graph, MACHINES[machine], tiles).run(fed)
        assert not differences(graph, fed, got), tiles


def test_layers_of_a_network_are_told_apart() -> None:
    found = free(small_cnn())
    assert len(found) == 4
    assert all(f.tile == f.default and f.default in f.tiles for f in found.values())


def test_the_best_tiles_of_the_formula_come_first() -> None:
    for f in free(layers()).values():
        costs = [f.cost(t) for t in f.tiles]
        assert costs == sorted(costs)
        assert len(set(f.tiles)) == len(f.tiles) > 1


def test_a_tile_that_is_not_possible_is_refused() -> None:
    graph = small_cnn()
    layer = next(iter(free(graph)))
    with pytest.raises(OptionError, match="no tile of 400 rows by 9 vectors of 3") as error:
        make_program(graph, host(), {layer: Tile(400, 9, 3, False)})
    assert error.value.where == layer


def test_a_tile_of_another_layer_changes_nothing() -> None:
    graph = small_cnn()
    plain, other = (make_program(graph, host(), t) for t in ({}, {"conv of another network": Tile(1, 1, 4, False)}))
    assert [k.key for k in plain.kernels.values()] == [k.key for k in other.kernels.values()]


def test_real_numbers_are_summed_in_the_same_order() -> None:
    x, y = (Node(Input(n, s)) for n, s in (("a", (7, 30)), ("b", (30, 45))))
    graph = Graph((x, y), (Node(Output("y"), (Node(MatMul(), (x, y), "m"),)),))
    fed = vectors(graph, 2)
    results = [Library(graph, None, picked(free(graph), turn)).run(fed)[0][0] for turn in range(3)]
    assert all(np.array_equal(results[0], r) for r in results[1:])
