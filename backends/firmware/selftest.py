"""The self-test: C that knows the weights' checksums, those of the layers' outputs, and what three runs have to give.

The inputs of the runs come from a generator whose seeds the image holds: three pictures cost twelve bytes of flash.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...graph import Graph, NDArray, Node
from ...graph.evaluate.run import surface_shape
from ...graph.node import bodies
from ...graph.ops import Input, Output
from ..loops.layout import interface_type
from ..loops.verify import MIXED, expected
from .c import TYPES, literal
from .host import FILLED, Network
from .source import array

VECTORS = 3
MOST_SEEDS = 64
"""How many seeds are tried for inputs that the network accepts (no index out of range, no zero divisor)."""
FLOAT_TOLERANCE = 1e-4
"""Of an output's largest value: cores may fuse products and sums, and then round once less."""
Range = tuple[int, int] | None
"""What the elements of an input may be: integers from the first to the second; None: real numbers."""


@dataclass(frozen=True)
class Case:
    """One run: the seed of its inputs, and the outputs, each in the source's layout."""

    seed: int
    outputs: tuple[NDArray, ...]


def selftest(graph: Graph, files: Mapping[str, bytes], described: Mapping[str, Any], ranges: Sequence[Range]) -> bytes:
    """Write ``<name>_selftest.c`` of a network: expected outputs are the graph's, checksums those of its C, which is
    run on this machine.
    """
    network = Network(files, described)
    seeds = _seeds(graph, network, ranges)
    exact = _exact(graph)
    text = _Text(graph, described, ranges, exact)
    cases = _cases(graph, seeds, ranges)
    sums = network.trace(_inputs(graph, seeds[0], ranges), _zones(described)) if seeds and exact else []
    return text.write(cases, _constants(network, described), [zlib.crc32(s) for s in sums]).encode()


def numbers(seed: int, count: int) -> NDArray:
    """Give 32-bit numbers without pattern, as the C does: a hash of the place (C. Wellons, lowbias32)."""
    h = np.arange(count, dtype=np.uint32) + np.uint32(seed)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        h ^= h >> np.uint32(shift)
        h *= np.uint32(factor)
    result: NDArray = h ^ (h >> np.uint32(16))
    return result


def _inputs(graph: Graph, seed: int, ranges: Sequence[Range]) -> list[NDArray]:
    """Make the inputs of a seed, in the source's layout."""
    return [_input(n, seed + _apart(i), r) for i, (n, r) in enumerate(zip(graph.inputs, ranges, strict=True))]


def _apart(i: int) -> int:
    """Give what an input's seed has on top of the run's; those of 256 inputs differ, and stay in 32 bits."""
    return i % 256 << 24


def _input(node: Node, seed: int, limits: Range) -> NDArray:
    shape = surface_shape(node)
    h = numbers(seed, int(np.prod(shape, dtype=np.int64))).astype(np.int64)
    if limits is None:
        return ((h >> 8) - (1 << 23)).astype(np.float32).reshape(shape) * np.float32(2.0**-23)
    return (limits[0] + h % _span(limits)).astype(interface_type(node)).reshape(shape)


def _span(limits: tuple[int, int]) -> int:
    return min(limits[1] - limits[0] + 1, 0xFFFFFFFF)


def _seeds(graph: Graph, network: Network, ranges: Sequence[Range]) -> list[int]:
    tried = (seed * 0x10001 for seed in range(1, MOST_SEEDS + 1))
    found: list[int] = []
    for seed in tried:
        if len(found) < VECTORS and _accepted(network, [_inputs(graph, s, ranges) for s in (*found, seed)]):
            found.append(seed)
    return found


def _accepted(network: Network, runs: Sequence[Sequence[NDArray]]) -> bool:
    """Whether the network finds nothing wrong with any of some runs, from its beginning on."""
    network.begin()
    return not any(network.run(inputs)[1] for inputs in runs)


def _cases(graph: Graph, seeds: Sequence[int], ranges: Sequence[Range]) -> list[Case]:
    """Run the graph, from its beginning on; outputs come in the source's layout, as the types of the interface."""
    if not seeds:
        return []
    rows = zip(*(_inputs(graph, seed, ranges) for seed in seeds), strict=True)
    own = [_moved(np.stack(row), n) for row, n in zip(rows, graph.inputs, strict=True)]
    given = [v.astype(np.int64) if n.type.is_integer else v for v, n in zip(own, graph.inputs, strict=True)]
    found = zip(expected(graph, given), graph.outputs, strict=True)
    outputs = [_moved(v, n).astype(interface_type(n)) for v, n in found]
    return [Case(seed, tuple(v[i] for v in outputs)) for i, seed in enumerate(seeds)]


def _moved(values: NDArray, port: Node) -> NDArray:
    op = port.op
    assert isinstance(op, Input | Output)
    return values if op.axes is None else values.transpose(0, *(int(a) + 1 for a in op.axes))


def _exact(graph: Graph) -> bool:
    """Whether every number of a network is an integer: other numbers differ from core to core in the last place."""
    return all(n.type.is_integer and all(map(_exact, bodies(n.op))) for n in graph.nodes)


def _zones(described: Mapping[str, Any]) -> list[tuple[int, int]]:
    return [tuple(layer["output"]) for layer in described["layers"]]


def _constants(network: Network, described: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Give for each step how many arrays it is the first to use, and their checksum."""
    known = dict.fromkeys(w for layer in described["layers"] for w in layer["weights"])
    contents = dict(zip(known, network.constants(), strict=True))
    found = []
    for layer in described["layers"]:
        own = [w for w in layer["weights"] if w in contents]
        found.append((len(own), zlib.crc32(b"".join(contents.pop(w) for w in own))))
    return found


class _Text:
    def __init__(self, graph: Graph, described: Mapping[str, Any], ranges: Sequence[Range], exact: bool) -> None:
        self.graph, self.described, self.ranges, self.exact = graph, described, ranges, exact
        self.name, self.upper = described["name"], described["name"].upper()
        self.steps = len(described["layers"])

    def write(self, cases: Sequence[Case], constants: Sequence[tuple[int, int]], sums: Sequence[int]) -> str:
        """Write the file."""
        names = [*(layer["name"] for layer in self.described["layers"]), "the outputs"]
        table = [
            f"    {{{count}, {crc:#010x}u, {begin}, {end - begin}, {sums[i] if sums else 0:#010x}u}},"
            for i, ((count, crc), (begin, end)) in enumerate(zip(constants, _zones(self.described), strict=True))
        ]
        outputs = range(len(self.graph.outputs))
        words = {
            "name": self.name, "upper": self.upper, "header": "gw.h" if self.exact else "gw_float.h",
            "filled": FILLED, "remembers": int(bool(self.graph.states)),
            "cases": len(cases), "checks": int(bool(sums)), "table": "\n".join(table),
            "seeds": ", ".join(f"{c.seed}u" for c in cases) or "0",
            "names": "\n".join(f"    {_quoted(n)}," for n in names),
            "expected": "\n".join(self.expected(i, [c.outputs[i] for c in cases]) for i in outputs),
            "fill": "\n".join(self.fill(i) for i in range(len(self.graph.inputs))),
            "compare": "\n".join(f"    if (differs{i}(run)) return 1;" for i in outputs),
        }  # fmt: skip
        return TEXT.format(**words)

    def fill(self, i: int) -> str:
        """Write an input."""
        limits, kind = self.ranges[i], TYPES[interface_type(self.graph.inputs[i])]
        number = f"gw_number(seed + {_apart(i)}u, i)" if _apart(i) else "gw_number(seed, i)"
        if limits is None:
            value = f"(float)((int32_t)({number} >> 8) - 8388608) * {2.0**-23:.9e}f"
        else:
            drawn = f"{number} % {_span(limits)}u"
            low = literal(limits[0], "int64") if kind.endswith("64_t") else f"{limits[0] % 2**32}u"
            value = f"({kind})({low} + {drawn})"
        loop = f"for (i = 0; i < {self.upper}_IN{i}_ELEMENTS; i++)"
        return f"    {loop} {{\n        {self.name}_in{i}[i] = {value};\n    }}"

    def expected(self, i: int, outputs: Sequence[NDArray]) -> str:
        """Write what an output has to be in all runs, and what compares it."""
        node, kind = self.graph.outputs[i], interface_type(self.graph.outputs[i])
        flat = np.concatenate([o.ravel() for o in outputs]) if outputs else np.zeros(1, kind)
        wide = "float" if kind == "float32" else "int64_t" if kind.endswith("64") else "int32_t"
        share = FLOAT_TOLERANCE if not node.type.is_integer and not self._mixed else MIXED
        finite = flat[np.isfinite(flat)].astype(np.float64)
        allowed = 0.0 if self.exact else share * float(np.abs(finite).max(initial=0.0))
        limit = literal(allowed, "float32") if wide == "float" else str(int(np.ceil(allowed)))
        nan = " && !(got != got && want != want)" if wide == "float" else ""
        return EXPECTED.format(
            array=array(f"expected{i}", flat.astype(kind)), i=i, wide=wide, limit=limit, nan=nan, name=self.name,
            upper=self.upper, cast=f"({wide})" if wide != TYPES[kind] else "",
        )  # fmt: skip

    @property
    def _mixed(self) -> bool:
        return any(n.type.is_integer and not isinstance(n.op, Input) for n in self.graph.outputs)


def _quoted(text: str) -> str:
    plain = "".join(c if 32 <= ord(c) < 127 and c not in '"\\?' else "_" for c in text)
    return f'"{plain}"'


EXPECTED = """\
{array}

static int differs{i}(int32_t run)
{{
    int32_t i;
    for (i = 0; i < {upper}_OUT{i}_ELEMENTS; i++) {{
        const {wide} got = {cast}{name}_out{i}[i];
        const {wide} want = {cast}expected{i}[run * {upper}_OUT{i}_ELEMENTS + i];
        const {wide} away = got > want ? got - want : want - got;
        if (got != want && !(away <= {limit}){nan}) return 1;
    }}
    return 0;
}}
"""
TEXT = """\
/* Whether this image computes what it was compiled to compute. Nothing of it is linked where it is not called. */
#include "{name}.h"
#include "{header}"

#define RUNS {cases}

/* A step: arrays of constants that it is the first to use and their CRC-32; where in the arena it writes, how many
 * bytes, and the CRC-32 of these in the first run. */
static const struct {{ int32_t arrays; uint32_t constants; int32_t begin, bytes; uint32_t output; }}
    steps[{upper}_STEPS] = {{
{table}
}};
static const uint32_t seeds[] = {{{seeds}}};
static const char *const names[{upper}_STEPS + 1] = {{
{names}
}};

static uint32_t gw_crc(uint32_t crc, const unsigned char *from, int32_t bytes)
{{
    static const uint32_t table[16] = {{
        0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
        0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu}};
    for (; bytes > 0; bytes--, from++) {{
        crc = (crc >> 4) ^ table[(crc ^ *from) & 15];
        crc = (crc >> 4) ^ table[(crc ^ ((uint32_t)*from >> 4)) & 15];
    }}
    return crc;
}}

/* Numbers without pattern: a hash of the place. */
static uint32_t gw_number(uint32_t seed, int32_t place)
{{
    uint32_t h = seed + (uint32_t)place;
    h = (h ^ (h >> 16)) * 0x7feb352du;
    h = (h ^ (h >> 15)) * 0x846ca68bu;
    return h ^ (h >> 16);
}}

static void begin(void)
{{
    int32_t i;
    for (i = 0; i < {upper}_ARENA_BYTES; i++) {name}_arena[i] = {filled}u;
    {name}_init();
}}

static void fill(uint32_t seed)
{{
    int32_t i;
{fill}
}}

{expected}
static int differs(int32_t run)
{{
{compare}
    return 0;
}}

const char *{name}_layer_name(int32_t step)
{{
    return step >= 0 && step <= {upper}_STEPS ? names[step] : "";
}}

int {name}_selftest(void)
{{
    int32_t i, k, array = 0, bytes;
    begin();
    fill(seeds[0]);
    for (i = 0; i < {upper}_STEPS; i++) {{
        uint32_t crc = 0xffffffffu;
        for (k = 0; k < steps[i].arrays; k++) {{
            const unsigned char *from = {name}_constants(array++, &bytes);
            crc = gw_crc(crc, from, bytes);
        }}
        if (~crc != steps[i].constants) return (int)i + 1;
        if ({name}_step(i) != 0 && RUNS > 0) return (int)i + 1;
        crc = gw_crc(0xffffffffu, {name}_arena + steps[i].begin, steps[i].bytes);
        if ({checks} && ~crc != steps[i].output) return (int)i + 1;
    }}
    for (k = 0; k < RUNS; k++) {{
        if (k == 0 || !{remembers}) begin();
        fill(seeds[k]);
        if ({name}_run() != 0 || differs(k)) return {upper}_STEPS + 1;
    }}
    {name}_init();
    return 0;
}}
"""
