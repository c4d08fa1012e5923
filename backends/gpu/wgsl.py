"""WGSL, the language of WebGPU: integers and floats of 32 bits, no others.

Integers of 64 bits are pairs of words, the lower one first; what is done with them are functions that stand before the
kernel. All constants of a kernel are one array of words: there may be eight bindings only. One file holds one kernel.
"""

from collections.abc import Mapping, Sequence
from math import isinf, isnan
from struct import pack, unpack

import numpy as np

from ...graph.arrays import NDArray
from ..loops.code import Memory
from ..loops.scope import Scope
from ..loops.widths import WIDTHS
from .text import SIGNS, Language, unsupported
from .threads import Kernel
from .wgsl_helpers import HELPERS, NEEDED

PAIR = "vec2<u32>"
TYPES = {
    "bool": "bool", "uint32": "u32", "int64": PAIR, "uint64": PAIR, "float32": "f32", "float16": "u32",
    "bfloat16": "u32",
    **dict.fromkeys(("int8", "uint8", "int16", "uint16", "int32"), "i32"),
}  # fmt: skip
PAIRED = {
    "add": "add64", "sub": "sub64", "mul": "mul64", "div": "div64", "shl": "shl64", "shr": "shr64", "lt": "less64",
    "eq": "same64", "min": "min64", "max": "max64",
}  # fmt: skip
"""Functions on pairs, where the language has no operation on vectors that does the same."""
TURNED = {"gt": "lt", "le": "lt", "ge": "lt", "ne": "eq"}
"""Comparisons of pairs that are made of others: with operands changed over (gt, le), negated (le, ge, ne)."""
NAMES = {"nearbyint": "round"}


def tables(scope: Scope) -> tuple[NDArray, dict[Memory, int]]:
    """Put all constants of a kernel into one array of words; say where each begins. Raises UnsupportedError."""
    parts: list[NDArray] = []
    begins: dict[Memory, int] = {}
    place = 0
    for data, parameter in scope.constants.values():
        assert parameter.memory is not None
        begins[parameter.memory] = place
        parts.append(_words(data))
        place += parts[-1].size
    return np.concatenate(parts) if parts else np.zeros(0, np.int32), begins


def _words(data: NDArray) -> NDArray:
    if data.dtype == np.float64:
        raise unsupported("float64", "WGSL")
    own = data if data.dtype.itemsize >= 4 else data.astype(np.int32)
    return np.ascontiguousarray(own).view(np.int32).ravel()


class Wgsl(Language):
    """WGSL."""

    kind, suffix = "webgpu", "wgsl"
    helpers, taken = HELPERS, frozenset(("i32", "u32", "f32"))

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.names: dict[Memory, str] = {}
        self.begins: Mapping[Memory, int] = {}

    @classmethod
    def files(cls, kernels: Mapping[str, Kernel]) -> tuple[dict[str, str], dict[str, str]]:
        """Write kernels, each into a file of its own."""
        texts = {}
        for name, kernel in kernels.items():
            language = cls()
            body = language.kernel(name, kernel)
            texts[f"{name}.wgsl"] = "\n".join([*language.outside, language.preface(), body])
        return {name: f"{name}.wgsl" for name in kernels}, texts

    def preface(self) -> str:
        """Write the functions that kernels have called so far, and those that these call."""
        while new := {n for name in self.called for n in NEEDED.get(name, ())} - self.called:
            self.called |= new
        return super().preface()

    def type(self, dtype: str) -> str:
        """Name a type."""
        if dtype not in TYPES:
            raise unsupported(dtype, "WGSL")
        return TYPES[dtype]

    def literal(self, number: int | float, dtype: str) -> str:
        """Write a constant."""
        if dtype == "float32":
            if isinf(number) or isnan(number):  # not allowed where the compiler could compute it
                return self.helper("from_bits", f"{unpack('<I', pack('<f', number))[0]}u")
            return f"{float(number)!r}f"
        if WIDTHS[dtype] == 64:
            return f"{PAIR}({int(number) & 0xFFFFFFFF}u, {int(number) >> 32 & 0xFFFFFFFF}u)"
        if dtype == "uint32":
            return f"{int(number)}u"
        return "(-2147483647 - 1)" if number == -(1 << 31) else str(int(number))

    def head(self, name: str, kernel: Kernel) -> str:
        """Write the bindings, and the head of the function."""
        self.begins = kernel.tables
        for i, port in enumerate(kernel.ports):
            own = "constants" if port.memories[0] in kernel.tables else port.name
            self.names |= dict.fromkeys(port.memories, own)
            access = "read" if own == "constants" else "read_write"  # the arena is written, and is one buffer
            array = f"{own} : array<{self.type(port.dtype)}>;"
            self.outside.append(f"@group(0) @binding({i}) var<storage, {access}> {array}")
        return (
            f"@compute @workgroup_size({kernel.threads}, 1, 1)\nfn {name}("
            "@builtin(workgroup_id) block : vec3<u32>, @builtin(local_invocation_id) within : vec3<u32>) {"
        )

    def index(self, tag: str) -> str:
        """Say which thread it is."""
        return "i32(within.x)" if tag == "thread" else f"i32(block.{tag[-1]})"

    def declared(self, name: str, dtype: str, value: str) -> str:
        """Write a variable."""
        return f"let {name} : {self.type(dtype)} = {value};"

    def room(self, memory: Memory) -> str:
        """Write an array; what is shared stands outside of functions."""
        array = f"{memory.name} : array<{self.type(memory.dtype)}, {memory.size}>;"
        if memory.shared:
            self.outside.append(f"var<workgroup> {array}")
            return ""
        return f"var {array}"

    def loop(self, name: str, begin: str, end: str, unrolled: bool) -> str:
        """Write the head of a loop."""
        return f"for (var {name} : i32 = {begin}; {name} < {end}; {name} = {name} + 1) {{"

    def element(self, memory: Memory, place: str) -> str:
        """Write an element; of constants it is made of words."""
        own = self.names.get(memory, memory.name)
        if memory not in self.begins:
            return f"{own}[{place}]"
        begin, dtype = self.begins[memory], memory.dtype
        if WIDTHS[dtype] == 64:
            return f"{PAIR}(u32({own}[{begin} + ({place}) * 2]), u32({own}[{begin + 1} + ({place}) * 2]))"
        word = f"{own}[{begin} + {place}]" if begin else f"{own}[{place}]"
        return self.bits(word, "int32", dtype) if dtype in ("float32", "uint32") else word

    def cast(self, value: str, source: str, dtype: str) -> str:
        """Convert a number."""
        before, after = self.type(source), self.type(dtype)
        wide, long = before == PAIR, after == PAIR
        if wide and long:
            return value
        if long:
            if source == "float32":
                raise unsupported("int64", "WGSL, which would convert floats to them,")
            return f"{PAIR}({value}, 0u)" if source == "uint32" else self.helper("widened", value)
        if wide:
            return self.helper("to_float", value) if dtype == "float32" else f"i32({value}.x)"
        return f"{after}({value})" if before != after else value

    def bits(self, value: str, source: str, dtype: str) -> str:
        """Take bits as those of another type."""
        return f"bitcast<{self.type(dtype)}>({value})"

    def chosen(self, condition: str, a: str, b: str, dtype: str) -> str:
        """Choose one of two values."""
        return f"select({b}, {a}, {condition})"

    def function(self, name: str, dtype: str) -> str:
        """Name a function on floats."""
        return NAMES.get(name, name.removesuffix("f"))

    def named(self, name: str, operands: Sequence[str], dtype: str) -> str:
        """Call a function by its name."""
        return super().named("remainder" if name == "fmodf" else name, operands, dtype)

    def barrier(self) -> str:
        """Wait for all threads of a block."""
        return "workgroupBarrier();"

    def binary(self, op: str, a: str, b: str, dtype: str) -> str:
        """Write an operation; on pairs it is a function, but for those that take each bit for itself."""
        if WIDTHS[dtype] == 64:
            return self._paired(op, a, b)
        if op in ("shl", "shr"):
            return f"{a} {SIGNS[op]} u32({b})"
        return super().binary(op, a, b, dtype)

    def _paired(self, op: str, a: str, b: str) -> str:
        if op in ("bitand", "bitor", "bitxor"):
            return f"{a} {SIGNS[op]} {b}"
        if op in ("shl", "shr"):
            return self.helper(PAIRED[op], a, f"{b}.x")
        if op in TURNED:
            first, second = (b, a) if op in ("gt", "le") else (a, b)
            found = self.helper(PAIRED[TURNED[op]], first, second)
            return found if op == "gt" else f"!{found}"
        return self.helper(PAIRED[op], a, b)
