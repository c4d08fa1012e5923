"""Which tensor of A a tensor of B may stand for: by name and operation, by structure, by what reads it, by order.

Several answers are given for each, the likeliest first; the numbers decide between them (``walk``).
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping
from difflib import SequenceMatcher
from enum import IntEnum

from ...graph import Graph, Node
from ...graph.ops import Add, Constant, Input, Maximum, Minimum, Mul, MultiplyShift, Output, Quantize, Relu, Sub

CHAIN = 6
"""How many pointwise operations may have been folded into the one before them."""
FOLDED = (Mul, Add, Sub, Maximum, Minimum, Relu, Quantize, MultiplyShift)


class Rank(IntEnum):
    """Why a tensor of A is a candidate; the lesser, the likelier."""

    READER = 1
    """it is read by the tensor that stands for this one's reader, and made from this name"""
    STRUCTURE = 2
    """everything that it is made of has the same names, operations and shapes"""
    NAME = 3
    """the same name, operation and shape"""
    ORDER = 4
    """the same operation and shape at the same place in the order (where names say nothing)"""
    PLACE = 5
    """the same name and shape"""
    FOLDED = 6
    """what is made of one of these by pointwise operations with constants"""


Candidates = dict[Node, Rank]


def is_inserted(node: Node) -> bool:
    """Whether a node is a quantizer that Gatewright put there: the same values, rounded."""
    return isinstance(node.op, Quantize) and bool(node.op.inserted)


def operands(node: Node) -> tuple[Node, ...]:
    """The operands that are no constants."""
    return tuple(i for i in node.inputs if not isinstance(i.op, Constant))


class Alignment:
    """Candidates for the nodes of ``b`` among those of ``a``.

    ``exact``: both are of integers, so that a quantizer stands for a quantizer; else an inserted one stands for what
    it rounds.
    """

    def __init__(self, a: Graph, b: Graph, exact: bool) -> None:
        self.a, self.b, self.exact = a, b, exact
        self.readers = {n: tuple(u for u in users if not isinstance(u.op, Output)) for n, users in a.users.items()}
        mine, theirs = self._computing(a), self._computing(b)
        self.names = {n.where for n in mine if n.where}
        self.by_place: dict[Hashable, list[Node]] = defaultdict(list)
        for node in mine:
            self.by_place[node.where, node.shape].append(node)
        self.structure = _paired(self._hashes(a), self._hashes(b))
        places = ({n: (n.where, type(n.op), n.shape) for n in nodes} for nodes in (mine, theirs))
        self.named = _paired(*places, one_by_one=True)
        self.ordered = {} if self._names_agree(mine, theirs) else _by_order(mine, theirs)
        self.read = self._by_reader()

    def through(self, node: Node) -> Node:
        """Follow inserted quantizers back to what they round."""
        while not self.exact and is_inserted(node):
            node = node.inputs[0]
        return node

    def operands(self, node: Node) -> tuple[Node, ...]:
        """The operands that are no constants, followed through inserted quantizers."""
        return tuple(self.through(i) for i in operands(node))

    def _computing(self, graph: Graph) -> list[Node]:
        return [n for n in graph.nodes if not isinstance(n.op, (Constant, Output)) and self.through(n) is n]

    @staticmethod
    def _names_agree(a: list[Node], b: list[Node]) -> bool:
        mine, theirs = ({n.where for n in nodes if n.where} for nodes in (a, b))
        return 2 * len(mine & theirs) >= min(len(mine), len(theirs)) > 0

    def _by_reader(self) -> dict[Node, list[Node]]:
        """Operands of nodes that have one counterpart stand for its operands, one by one."""
        found: dict[Node, list[Node]] = defaultdict(list)
        for node in self.b.nodes:
            pairs = self.structure.get(node) or self.named.get(node) or self.ordered.get(node) or []
            if len(pairs) == 1 and len(mine := self.operands(node)) == len(theirs := self.operands(pairs[0])):
                for i, j in zip(mine, theirs, strict=True):
                    found[i].append(j)
        return found

    def candidates(self, node: Node) -> Candidates:
        """Give the nodes of A that a node of B may stand for, each with the best reason."""
        found: Candidates = {}

        def add(nodes: list[Node], rank: Rank) -> None:
            for n in nodes:
                if n.shape == node.shape and (n not in found or rank < found[n]):
                    found[n] = rank

        add(self.structure.get(node, []), Rank.STRUCTURE)
        add(self.named.get(node, []), Rank.NAME)
        add(self.ordered.get(node, []), Rank.ORDER)
        add(self.by_place.get((node.where, node.shape), []) if node.where else [], Rank.PLACE)
        folded = [m for n in list(found) for m in self.chain(n)]
        read = self.read.get(node, [])
        add([n for n in read if n in folded or n in found], Rank.READER)
        if not found:  # one of a layer that A has too may be a step on the way, in units of its own
            add(read, Rank.PLACE if node.where in self.names else Rank.READER)
        add(folded, Rank.FOLDED)
        return dict(sorted(found.items(), key=lambda item: item[1]))

    def chain(self, node: Node) -> list[Node]:
        """Follow a tensor of A through pointwise operations with constants that are its only readers."""
        found: list[Node] = []
        while len(found) < CHAIN and len(readers := self.readers[node]) == 1:
            node = readers[0]
            if not isinstance(node.op, FOLDED) or len(operands(node)) != 1:
                break
            found.append(node)
        return found

    def _hashes(self, graph: Graph) -> dict[Node, Hashable]:
        """A hash of how each node is made: names, operations and shapes of all that it reads, in any order."""
        made: dict[Node, Hashable] = {}
        for node in graph.nodes:
            if isinstance(node.op, Constant):
                continue
            inner = self.through(node)
            below = sorted(hash(made[i]) for i in node.inputs if i in made)
            name = node.op.name if isinstance(node.op, Input) else node.where
            key = hash((type(node.op).__name__, name, node.shape, tuple(below)))
            made[node] = key if inner is node else made[inner]
        return {n: made[n] for n in self._computing(graph)}


def _paired(
    a: Mapping[Node, Hashable], b: Mapping[Node, Hashable], *, one_by_one: bool = False
) -> dict[Node, list[Node]]:
    """Pair nodes of equal keys: one by one where there are as many on both sides, else each with all (or none)."""
    mine: dict[Hashable, list[Node]] = defaultdict(list)
    theirs: dict[Hashable, list[Node]] = defaultdict(list)
    for table, groups in ((a, mine), (b, theirs)):
        for node, key in table.items():
            groups[key].append(node)
    found: dict[Node, list[Node]] = {}
    for key, nodes in theirs.items():
        others = mine.get(key, [])
        for i, node in enumerate(nodes):
            if len(others) == len(nodes):
                found[node] = [others[i]]
            elif not one_by_one:
                found[node] = list(others)
    return found


def _by_order(mine: list[Node], theirs: list[Node]) -> dict[Node, list[Node]]:
    """Pair nodes along the longest common sequences of operations and shapes."""
    first, second = ([(type(n.op).__name__, n.shape) for n in nodes] for nodes in (mine, theirs))
    blocks = SequenceMatcher(a=first, b=second, autojunk=False).get_matching_blocks()
    return {theirs[m.b + k]: [mine[m.a + k]] for m in blocks for k in range(m.size)}
