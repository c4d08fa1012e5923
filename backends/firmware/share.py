"""One function for layers that differ only in numbers: less code, for a few instructions more.

    y[i * 96] = x[i]                       n0 = numbers[0]
    y[i * 48] = x[i]          ->           y[i * n0] = x[i]

What all of them have in common stays a constant that the compiler sees.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ...graph.arrays import NDArray
from ..loops.code import (
    INDEX,
    Body,
    For,
    Function,
    If,
    Let,
    Local,
    Memory,
    Parameter,
    Run,
    Statement,
    Store,
    Value,
    Variable,
    cast,
)
from ..loops.program import Call, Loop, Pointer, Program
from ..loops.program import Statement as Step
from ..loops.walk import parts, with_parts, with_values
from ..loops.widths import limits

Put = Callable[[int, Value], Value]


def shared(program: Program) -> Program:
    """Let calls of kernels that differ only in numbers call one kernel, and pass it a table of them."""
    shapes: dict[str, list[str]] = {}
    for name, function in program.kernels.items():
        shapes.setdefault(_Walk(function).shape, []).append(name)
    made = replace(program, constants=bytearray(program.constants), arrays=dict(program.arrays))
    changed: dict[str, tuple[str, Pointer]] = {}
    made.kernels = {}
    for first, *others in shapes.values():
        functions = [program.kernels[name] for name in (first, *others)]
        if not others:
            made.kernels[first] = functions[0]
            continue
        made.kernels[first], rows = _joined(functions)
        for name, row in zip((first, *others), rows, strict=True):
            changed[name] = first, made.append(row)
    made.statements = [_called(s, changed) for s in program.statements]
    return made


def _joined(functions: Sequence[Function]) -> tuple[Function, list[NDArray]]:
    """Give one function that reads what differs from a table, its first parameter; and the table of each."""
    columns = list(zip(*(_Walk(f).numbers for f in functions), strict=True))
    differing = list(dict.fromkeys(c for c in columns if len(set(c)) > 1))
    table = np.array(differing, np.int64).reshape(len(differing), len(functions)).T
    kind = next(k for k in ("int16", "int32") if _fits(table, k))
    parameter = Parameter.pointer("numbers", kind)
    assert parameter.memory is not None
    variables = [Variable(f"n{i}") for i in range(len(differing))]

    of = dict(zip(differing, variables, strict=True))

    def put(place: int, v: Value) -> Value:
        variable = of.get(columns[place])
        return v if variable is None else cast(Value("variable", (variable,), INDEX), v.dtype)

    lets = [Let(v, cast(parameter.memory.load(i), INDEX)) for i, v in enumerate(variables)]
    walk = _Walk(functions[0], put)
    return Function((parameter, *functions[0].parameters), (*lets, *walk.body)), list(table.astype(kind))


def _fits(table: NDArray, kind: str) -> bool:
    low, high = limits(kind)
    return low <= int(table.min(initial=0)) and int(table.max(initial=0)) <= high


def _called(step: Step, changed: dict[str, tuple[str, Pointer]]) -> Step:
    """Give a step that calls what there is now."""
    match step:
        case Call(kernel=kernel) if kernel in changed:
            name, numbers = changed[kernel]
            return replace(step, kernel=name, arguments=(numbers, *step.arguments))
        case Loop():
            step.body = [_called(s, changed) for s in step.body]
    return step


class _Walk:
    """A function from its first statement to its last: ``shape`` is equal for those that differ only in ``numbers``.

    ``put`` says what stands for each number, by its place, in ``body``.
    """

    def __init__(self, function: Function, put: Put = lambda place, v: v) -> None:
        self.put = put
        self.numbers: list[int] = []
        self._text = [f"{p.memory.dtype if p.memory else INDEX} {p.variable.name}" for p in function.parameters]
        self._made: dict[int, tuple[Value, Value, int]] = {}
        self.body = self._body(function.body)

    @property
    def shape(self) -> str:
        """All but the numbers."""
        return "\n".join(self._text)

    def _body(self, body: Body) -> Body:
        self._text.append("{")
        found = tuple(map(self._statement, body))
        self._text.append("}")
        return found

    def _statement(self, s: Statement) -> Statement:
        match s:
            case Let(variable=variable):
                self._text.append(f"let {variable.name} {variable.kept}")
            case Local(memory=m):
                self._text.append(f"local {m.name} {m.dtype} {m.size}")
            case Store(memory=m):
                self._text.append(f"store {m.name}")
            case For(variable=variable):
                self._text.append(f"for {variable.name} {s.unrolled}")
            case If():
                self._text.append("if")
            case Run(name=name):
                self._text.append(f"run {name} {[o.name for o in s.operands if isinstance(o, Memory)]}")
        s = with_values(s, self._value)
        return replace(s, body=self._body(s.body)) if isinstance(s, For | If) else s

    def _value(self, v: Value) -> Value:
        if v.op == "const":
            return self._number(v)
        if id(v) not in self._made:
            names = [getattr(p, "name", p) for p in parts(v) if not isinstance(p, Value)]
            self._text.append(f"{v.op} {v.dtype} {v.lanes} {names}")
            self._made[id(v)] = v, with_parts(v, self._value), len(self._made)
        else:
            self._text.append(f"%{self._made[id(v)][2]}")
        return self._made[id(v)][1]

    def _number(self, v: Value) -> Value:
        low, high = limits("int32")
        if v.dtype[0] == "f" or v.dtype == "bool" or v.lanes > 1 or not low <= int(v.known or 0) <= high:
            self._text.append(f"{v.dtype} {v.lanes} {v.known!r}")
            return v
        self._text.append(f"{v.dtype} #")
        self.numbers.append(int(v.known or 0))
        return self.put(len(self.numbers) - 1, v)
