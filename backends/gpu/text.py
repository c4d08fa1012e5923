"""Kernels as text: the walk over statements and expressions, which is the same in every language.

What a language says in its own way (types, literals, calls, the head of a function) its ``Language`` answers. Functions
that kernels call and the language lacks stand before them, those that are asked for.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from textwrap import indent

import numpy as np

from ...graph import UnsupportedError
from ..loops.code import Body, For, If, Let, Local, Memory, Run, Store, Value, Variable
from ..loops.halves import bits_of
from ..loops.widths import HALVES
from .threads import Kernel

SIGNS = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "bitand": "&", "bitor": "|", "bitxor": "^",
    "and": "&&", "or": "||", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "shl": "<<",
    "shr": ">>",
}  # fmt: skip


class Language(ABC):
    """How a language writes kernels; one is made for one text."""

    kind: str
    suffix: str
    helpers: Mapping[str, str]
    """Functions that stand before the kernels where they are called."""
    taken: frozenset[str] = frozenset()
    """Words of the language that a variable could be called."""

    def __init__(self) -> None:
        self.called: set[str] = set()

    # What differs

    @abstractmethod
    def type(self, dtype: str) -> str:
        """Name a type. Raises UnsupportedError for one that the language has not."""

    @abstractmethod
    def literal(self, number: int | float, dtype: str) -> str:
        """Write a constant."""

    @abstractmethod
    def head(self, name: str, kernel: Kernel) -> str:
        """Write what stands before a kernel's statements, the opening brace included."""

    @abstractmethod
    def index(self, tag: str) -> str:
        """Say which thread it is: "thread", "block.x", "block.y", "block.z"."""

    @abstractmethod
    def declared(self, name: str, dtype: str, value: str) -> str:
        """Write a variable with its value."""

    @abstractmethod
    def room(self, memory: Memory) -> str:
        """Write an array of a kernel's own."""

    @abstractmethod
    def loop(self, name: str, begin: str, end: str, unrolled: bool) -> str:
        """Write the head of a loop."""

    @abstractmethod
    def cast(self, value: str, source: str, dtype: str) -> str:
        """Convert a number."""

    @abstractmethod
    def bits(self, value: str, source: str, dtype: str) -> str:
        """Take bits as those of another type."""

    @abstractmethod
    def chosen(self, condition: str, a: str, b: str, dtype: str) -> str:
        """Choose one of two values."""

    @abstractmethod
    def function(self, name: str, dtype: str) -> str:
        """Name a function on floats: an operation of processors, or one of the C library."""

    @abstractmethod
    def barrier(self) -> str:
        """Wait for all threads of a block."""

    def word(self, variable: Variable) -> str:
        """Name a variable."""
        return f"{variable.name}_" if variable.name in self.taken else variable.name

    def element(self, memory: Memory, place: str) -> str:
        """Write an element of memory."""
        return f"{memory.name}[{place}]"

    def binary(self, op: str, a: str, b: str, dtype: str) -> str:
        """Write an operation on two values of a type."""
        if op in ("min", "max"):
            if dtype.startswith("float"):  # what the languages call so drops what is no number
                wide = "64" if dtype == "float64" else ""
                return self.helper({"min": "lesser", "max": "greater"}[op] + wide, a, b)
            return f"{op}({a}, {b})"
        return f"{a} {SIGNS[op]} {b}"

    # What does not

    def helper(self, name: str, *operands: str) -> str:
        """Call a function that stands before the kernels."""
        self.called.add(name)
        return f"{name}({', '.join(operands)})"

    @classmethod
    def files(cls, kernels: Mapping[str, Kernel]) -> tuple[dict[str, str], dict[str, str]]:
        """Write kernels: the file that each stands in, and the files. Here one file has all."""
        language, file = cls(), f"kernels.{cls.suffix}"
        bodies = [language.kernel(name, kernel) for name, kernel in kernels.items()]
        return dict.fromkeys(kernels, file), {file: "\n".join([language.preface(), *bodies])}

    def kernel(self, name: str, kernel: Kernel) -> str:
        """Write a kernel."""
        head = self.head(name, kernel)
        own = [self.declared(v.name, "int32", self.index(tag)) for tag, v in kernel.indices.items()]
        lines = [*own, *self.statements(kernel.body)]
        return f"{head}\n{indent(chr(10).join(lines), '  ')}\n}}\n"

    def preface(self) -> str:
        """Write the functions that kernels have called so far."""
        return "".join(f"{text}\n" for name, text in self.helpers.items() if name in self.called)

    def statements(self, body: Body) -> list[str]:
        """Write statements, a line each."""
        lines: list[str] = []
        for s in body:
            match s:
                case Let():
                    lines.append(self.declared(self.word(s.variable), s.value.dtype, self.value(s.value)))
                case Local():
                    lines += [line for line in (self.room(s.memory),) if line]
                case Store():
                    place = self.element(s.memory, self.value(s.place))
                    lines.append(f"{place} = {self.value(s.value)};")
                case For():
                    end = self.value(s.begin + s.extent)
                    lines += self._braced(
                        self.loop(self.word(s.variable), self.value(s.begin), end, s.unrolled), s.body
                    )
                case If():
                    lines += self._braced(f"if ({self.value(s.condition)}) {{", s.body)
                case Run(name="barrier"):
                    lines.append(self.barrier())
                case Run():
                    told = [o.name if isinstance(o, Memory) else self.value(o) for o in s.operands]
                    lines.append(f"{self.helper(s.name, *told)};")
        return lines

    def _braced(self, head: str, body: Body) -> list[str]:
        return [*head.split("\n"), *(f"  {line}" for line in self.statements(body)), "}"]

    def value(self, v: Value) -> str:
        """Write an expression; floats of 16 bits are their bits."""
        if v.known is not None:
            if v.dtype in HALVES:
                return self.literal(int(bits_of(np.array(v.known), v.dtype)), "uint32")
            return self.literal(v.known, v.dtype)
        if v.lanes > 1:
            raise AssertionError(f"kernels on graphics processors have no vectors: {v.op}")
        match v.op, *v.parts:
            case "variable", variable:
                return self.word(variable)
            case "load", memory, place:
                return self.element(memory, self.value(place))
            case "not", a:
                return f"!{self.inner(a)}"
            case "select", condition, a, b:
                return self.chosen(self.inner(condition), self.inner(a), self.inner(b), v.dtype)
            case "cast", a:
                return self.converted(a, v.dtype)
            case "reinterpret", a:
                return self.bits(self.value(a), a.dtype, v.dtype)
            case (("intrinsic" | "extern"), name, operands):
                return self.named(name, [self.value(o) for o in operands], v.dtype)
            case _, a, b:
                return self.binary(v.op, self.inner(a), self.inner(b), a.dtype)
        raise AssertionError(v.op)

    def converted(self, a: Value, dtype: str) -> str:
        """Convert a number; those of 16 bits in floating point by functions of ours."""
        if dtype in HALVES or a.dtype in HALVES:
            return self.helper(f"{dtype}_of_{a.dtype}", self.value(a))
        return self.cast(self.inner(a), a.dtype, dtype)

    def named(self, name: str, operands: Sequence[str], dtype: str) -> str:
        """Call a function by its name: one of those before the kernels, or of the language."""
        if name in self.helpers:
            return self.helper(name, *operands)
        return f"{self.function(name, dtype)}({', '.join(operands)})"

    def inner(self, v: Value) -> str:
        """Write an expression that stands inside another one."""
        text = self.value(v)
        return text if _whole(text) else f"({text})"


def _whole(text: str) -> bool:
    """Whether a text is a name, a positive number, a call or an element: something that nothing binds closer than."""
    depth = 0
    for i, c in enumerate(text):
        depth += (c in "([") - (c in ")]")
        if depth == 0 and not (c.isalnum() or c in "_.)]"):
            return False
        if depth == 0 and c in ")]" and i + 1 < len(text) and text[i + 1] not in "[.":
            return False
    return True


def unsupported(dtype: str, language: str) -> UnsupportedError:
    """Say that a language has no such numbers."""
    what = f"{language} has no numbers of type {dtype}, which this model's floats need"
    return UnsupportedError(what, hint="--integer-only computes in integers what the model leaves in floating point")
