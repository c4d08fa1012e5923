"""The walk over a program: inputs, weights, operators in order, outputs."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from ...graph import FileError, GatewrightError, Graph, NDArray, Node, ShapeError, UnsupportedError
from ...graph.ops import Input, Output
from ..attributes import Attributes, raise_all
from ..layout import settle_layout
from ..onnx.types import as_type, storage
from . import lengths, operators  # noqa: F401 - they fill the tables
from .aliases import Aliases, names_in
from .archive import DAMAGED, Contents
from .fold import FOLDERS, evaluated
from .program import Entry, Program, Ref, Step, Type, parse
from .registry import OPERATORS, REFUSED, Build, Call, Results, located
from .values import MAX_ELEMENTS, OPEN_BATCH, Absent, Batch, Coded, Flow, Known, Place, Value

COMPUTED = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
SILENT = {
    "_assert_scalar", "_assert_tensor_metadata", "_assert_async", "sym_constrain_range",
    "sym_constrain_range_for_size",
}  # fmt: skip
"""Operators that only check; what they check is that shapes are as exported."""


def import_program(contents: Contents, *, source: str, name: str) -> Graph:
    """Make a graph of a program and its weights.

    Raises FileError, UnsupportedError or ShapeError; ManyErrors where several operators have problems.
    """
    return settle_layout(_Walk(parse(contents.program, source), contents, source).run(name))


@dataclass(eq=False)
class _Walk:
    program: Program
    contents: Contents
    source: str
    values: dict[str, Value | None] = field(default_factory=dict)
    """By name; None for what could not be imported, whose error is in ``errors``."""
    errors: list[GatewrightError] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def run(self, name: str) -> Graph:
        types = self.program.types
        entries = [e for e in self.program.entries if e.kind == "input"]
        self.batch = _batch([(e.name, types.get(e.name)) for e in entries], self.source)
        for entry in self.program.entries:
            if entry.kind != "input":
                self._define(entry.name, self._stored(entry))
        inputs = tuple(self._input(e.name, types[e.name]) for e in entries)
        weights = frozenset(e.name for e in self.program.entries if e.kind != "input")
        self.read = set(names_in([list(s.arguments.values()) for s in self.program.steps]))
        self.read |= set(names_in(list(self.program.outputs)))
        self.aliases = Aliases(self.program.steps, weights, self.program.outputs)
        for i, step in enumerate(self.program.steps):
            self._step(i, step)
        outputs = self._outputs()
        raise_all(self.errors)
        return Graph(inputs, outputs, name, "torch", tuple(dict.fromkeys(self.notes)))

    def _define(self, name: str, value: Value | None) -> None:
        if name in self.values:
            raise FileError(f"two tensors are called {name!r}", where=self.source, hint=DAMAGED)
        if name:
            self.values[name] = value

    def _stored(self, entry: Entry) -> Known:
        if entry.kind == "number":
            value = Call("", "", "", self.source, Attributes({}), self.batch).tensor(entry.value, entry.name)
            return value if isinstance(value, Known) else Known((np.zeros(()),))
        kept = self.contents.constants if entry.kind == "constant" else self.contents.weights
        array = kept.get(entry.key, self.contents.constants.get(entry.key))
        if array is None:
            raise FileError(f"{entry.kind} {entry.key!r} is not in the file", where=self.source, hint=DAMAGED)
        said = self.program.types.get(entry.name)
        if said is None or said.shape != array.shape:
            shape = said.shape if said else None
            what = f"{entry.kind} {entry.key!r} has shape {array.shape}, the program says {shape}"
            raise FileError(what, where=self.source, hint=DAMAGED)
        return Known((array,), said.dtype)

    def _input(self, name: str, type: Type) -> Node:
        place = f"{self.source}: input {name!r}"
        format = storage(type.dtype) if type.dtype in COMPUTED else None
        if format is None:
            hint = "export the model in float32: model.float()"
            raise UnsupportedError(f"its type is {type.dtype}", where=place, hint=hint)
        if any(not isinstance(n, int) for n in type.shape[1:]):
            what = f"its shape {['batch', *type.shape[1:]]} is open beyond the batch"
            raise UnsupportedError(what, where=place, hint="export with a dynamic axis 0 only, or with none")
        shape = tuple(int(n) for n in type.shape[1:])
        if prod(shape) > MAX_ELEMENTS or not all(shape):
            raise ShapeError(f"its shape is {shape}", where=place, hint=f"a sample has 1 to {MAX_ELEMENTS:,} elements")
        node = Node(Input(name, shape, format), (), name)
        self._define(name, Flow(node, Place(0), type.dtype))
        return node

    def _step(self, i: int, step: Step) -> None:
        library, op, overload = step.parts
        place = f"{self.source}: {op} {step.module or step.name!r}" + (f" ({step.name})" if step.module else "")
        try:
            results = self._results(step, library, op, overload, place)
            if results is not None:
                self.aliases.check(i, step, place)
        except GatewrightError as error:
            self.errors.append(located(error, place))
            results = None
        except RecursionError:
            raise FileError("is nested too deeply", where=place, hint=DAMAGED) from None
        for k, name in enumerate(step.results):
            if name:
                self._define(name, None if results is None else self._result(results, k, step))
        if step.results and step.results[0]:
            for name in self.aliases.changed(step) & set(self.values):
                self.values[name] = self.values[step.results[0]]

    def _result(self, results: list[Value], k: int, step: Step) -> Value:
        return results[k] if k < len(results) else Absent(f"output {k} of {step.name}")

    def _results(self, step: Step, library: str, op: str, overload: str, place: str) -> list[Value] | None:
        """Import one operator; None where it reads something that could not be imported."""
        if library == "aten" and op in SILENT:
            return []
        arguments = {key: self._resolved(value, place) for key, value in step.arguments.items()}
        if any(_missing(v) for v in arguments.values()):
            return None
        for name in step.results:
            self._check_type(name, place)
        types = [self.program.types.get(n or "") for n in step.results]
        call = Call(
            op,
            overload,
            self._unique(f"{step.module}/{step.name}" if step.module else step.name),
            place,
            Attributes(arguments, where=place),
            self.batch,
            tuple(t.dtype if t else "int64" for t in types),
            tuple(tuple(n if isinstance(n, int) else None for n in t.shape) if t else () for t in types),
            not any(_flows(v) for v in arguments.values()),
            self.notes,
            tuple(n in self.read for n in step.results),
        )
        results = self._built(call, library, op)
        self._compare(results, step, place)
        return results

    def _built(self, call: Call, library: str, op: str) -> list[Value]:
        key = op if library == "aten" else f"{library}.{op}"
        functional = key[:-1] if key.endswith("_") and not key.endswith("__") else key
        folder = FOLDERS.get(functional)
        if call.folding and folder is not None:
            results: list[Value] = list(folder(call))
            call.arguments.done()
            return results
        build = OPERATORS.get(functional)
        if build is None:
            hint = REFUSED.get(functional, "write the model in operators of the list in docs/pytorch.md")
            raise UnsupportedError(f"the operator {library}.{op} is not supported", where=call.place, hint=hint)
        if call.folding and self.batch.is_open and any(map(_varies, call.arguments.values())):
            return self._folded_apart(build, call)
        results = _values(build(call), call)
        call.arguments.done()
        return evaluated(results, call) if call.folding else results

    def _folded_apart(self, build: Build, call: Call) -> list[Value]:
        """Compute what depends on the length of the batch once for each length."""
        runs = []
        for i, length in enumerate(self.batch.lengths):
            values = {k: _variant(v, i) for k, v in call.arguments.items()}
            one = replace(call, arguments=Attributes(values, where=call.place), batch=Batch((length,)))
            runs.append(evaluated(_values(build(one), one), one))
            one.arguments.done()
        results: list[Value] = []
        for parts in zip(*runs, strict=True):
            known = [p for p in parts if isinstance(p, Known)]
            results.append(Known.of([k.at(0) for k in known], known[0].dtype) if known else parts[0])
        return results

    def _check_type(self, name: str | None, place: str) -> None:
        said = self.program.types.get(name or "")
        if said is not None and said.dtype not in COMPUTED:
            hint = "everything is computed in float32: export the model with model.float()"
            if said.dtype.startswith("complex"):
                hint = "compute spectra before the model, or write them in real numbers: products with sines, cosines"
            raise UnsupportedError(f"its result has type {said.dtype}", where=place, hint=hint)

    def _compare(self, results: list[Value], step: Step, place: str) -> None:
        """Compare the shapes of results with those that the program says."""
        for name, value in zip(step.results, results, strict=False):
            said = self.program.types.get(name or "")
            if said is None or isinstance(value, Absent):
                continue
            value = value.flow if isinstance(value, Coded) else value
            length = self.batch.lengths[0]
            got = value.shape(length) if isinstance(value, Flow) else value.at(0).shape
            if len(got) != len(said.shape) or any(
                isinstance(n, int) and n != m for n, m in zip(said.shape, got, strict=True)
            ):
                raise ShapeError(f"gives shape {got}, the program says {said.shape}", where=place, hint=DAMAGED)

    def _resolved(self, value: Any, place: str) -> Any:
        if isinstance(value, list):
            return [self._resolved(v, place) for v in value]
        if not isinstance(value, Ref):
            return value
        if value.name not in self.values:
            raise FileError(f"reads {value.name!r}, which nothing before it makes", where=place, hint=DAMAGED)
        found = self.values[value.name]
        return _MISSING if found is None else found

    def _unique(self, name: str) -> str:
        unique, count = name, 1
        while unique in self.names:
            unique, count = f"{name}_{count}", count + 1
        self.names.add(unique)
        return unique

    def _outputs(self) -> tuple[Node, ...]:
        nodes, names = [], list[str]()
        for value in self.program.outputs:
            if value is None:
                self.notes.append("one of the program's outputs is None and is left out")
                continue
            if not isinstance(value, Ref):
                raise UnsupportedError(
                    f"an output is {value!r}, no tensor", where=self.source, hint="give tensors only"
                )
            name = value.name if value.name not in names else f"{value.name}_{len(names)}"
            names.append(name)
            place = f"{self.source}: output {name!r}"
            try:
                found = self._resolved(value, place)
                if found is not _MISSING:
                    nodes.append(Node(Output(name), (self._final(found, place),), name))
            except GatewrightError as error:
                self.errors.append(located(error, place))
        if not nodes and not self.errors:
            raise UnsupportedError("it has no outputs", where=self.source, hint="give at least one tensor")
        return tuple(nodes)

    def _final(self, value: Value, place: str) -> Node:
        call = Call("output", "", place, place, Attributes({}), self.batch)
        found = call.tensor(value, "it")
        if isinstance(found, Known):
            return call.constant(_sample(found, call))
        assert found is not None
        return call.front(found).node


def _sample(value: Known, call: Call) -> NDArray:
    from .broadcast import sample

    return sample(call, value, Place(0), value.at(0).ndim, "a constant output")


class _Missing:
    """Stands for a value whose operator could not be imported."""


_MISSING = _Missing()


def _missing(value: Any) -> bool:
    return value is _MISSING or (isinstance(value, list) and any(_missing(v) for v in value))


def _flows(value: Any) -> bool:
    return isinstance(value, Flow | Coded | Absent) or (isinstance(value, list) and any(_flows(v) for v in value))


def _varies(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_varies, value))
    return isinstance(value, Known) and len(value.variants) > 1


def _variant(value: Any, i: int) -> Any:
    """Give what an argument is for one length of the batch."""
    if isinstance(value, list):
        return [_variant(v, i) for v in value]
    return Known((value.at(i),), value.dtype) if _varies(value) else value


def _values(results: Results, call: Call) -> list[Value]:
    items: Iterable[Node | Value] = results if isinstance(results, Sequence) else [results]
    values: list[Value] = []
    for i, item in enumerate(items):
        dtype = call.dtypes[i] if i < len(call.dtypes) else "float32"
        if isinstance(item, Node):
            item = Flow(item, call.main.place if call.main else None)
        if isinstance(item, Flow):
            item = replace(item, node=as_type(item.node, dtype), dtype=dtype)
        values.append(item)
    return values


def _batch(infos: list[tuple[str, Type | None]], source: str) -> Batch:
    """Find out how long axis 0 of the inputs is; it is the batch, whatever stands there."""
    found: dict[int | str, str] = {}
    for name, type in infos:
        if type is None:
            raise FileError(f"input {name!r} is no tensor, or has no type", where=source, hint="give tensors as inputs")
        if not type.shape:
            hint = "axis 0 is the batch: give it a shape such as [1, 16]"
            raise UnsupportedError(f"input {name!r} has no axis", where=source, hint=hint)
        found.setdefault(type.shape[0], name)
    if len(found) > 1:
        what = " and ".join(f"{n} ({name})" for n, name in found.items())
        hint = "give every input the same batch, dynamic or 1"
        raise ShapeError(f"axis 0, the batch, is {what} in different inputs", where=source, hint=hint)
    if not infos:
        raise UnsupportedError("it has no inputs", where=source, hint="a network reads at least one tensor")
    length = next(iter(found))
    if isinstance(length, str):
        if not re.fullmatch(r"Symbol\('\w+'[^()]*\)|[a-z]\w*", length):
            raise UnsupportedError(f"axis 0, the batch, is {length} long", where=source, hint="make it any length")
        return OPEN_BATCH
    if length < 1:
        raise ShapeError("axis 0, the batch, has no samples", where=source, hint="export with at least one sample")
    return Batch((length,))
