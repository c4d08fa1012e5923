"""What a model keeps from one inference to the next: resource variables, which the graph has as states.

Kernels: ``var_handle.cc``, ``read_variable.cc``, ``assign_variable.cc``, ``call_once.cc``; a variable is known by its
container and shared name (``experimental/resource/resource_variable.cc``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ...graph import Array, FileError, Node, Rounding, State
from ...graph.ops import Input, Output
from .flatbuffer import DAMAGED
from .model import Operator, Tensor
from .registry import BATCH_HINT, Call, Flow, Known, Value

HANDLE, READ, ASSIGN, ONCE = RESOURCES = ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE")

Key = tuple[str, str]


@dataclass(eq=False)
class Kept:
    """A variable: what it holds when the first inference begins, what it holds now, the input that stands for what the
    inference before left.
    """

    initial: Known | None = None
    now: Value | None = None
    entry: Flow | None = None


@dataclass(eq=False)
class Resources:
    """The variables of a model. ``assigned``: those that an inference changes; others hold a constant."""

    assigned: frozenset[Key] = frozenset()
    kept: dict[Key, Kept] = field(default_factory=dict)
    handles: dict[int, Key] = field(default_factory=dict)
    """By tensor."""

    def begin(self, initial: Mapping[Key, Known], assigned: frozenset[Key]) -> None:
        """Begin an inference with what the initializers left."""
        self.assigned = assigned
        self.kept = {key: Kept(value, value) for key, value in initial.items()}

    def key_of(self, i: int | None, place: str) -> Key:
        """Give the variable that a handle names. Raises UnsupportedError, FileError."""
        if i is None or i not in self.handles:
            raise FileError("reads a handle that no VAR_HANDLE before it makes", where=place, hint=DAMAGED)
        return self.handles[i]

    def read(self, key: Key, call: Call, name: Callable[[str], str]) -> Value:
        """Give what a variable holds at this place."""
        kept, info = self.kept.setdefault(key, Kept()), call.result
        if kept.now is None:
            raise call.refuse(f"variable {called(key)!r} is read before it has a value", "give it an initial value")
        if kept.now is kept.initial and key in self.assigned:
            kept.now = kept.entry = self._entry(key, kept, call, name)
        self._same(kept.now.info, info, key, call)
        return Known(kept.now.array, info) if isinstance(kept.now, Known) else Flow(_node(kept.now), info)

    def _entry(self, key: Key, kept: Kept, call: Call, name: Callable[[str], str]) -> Flow:
        info, initial = call.result, kept.initial
        assert initial is not None
        if call.batch != 1:
            raise call.refuse(f"a variable, and a batch of {call.batch}", BATCH_HINT)
        self._same(initial.info, info, key, call)
        node = Node(Input(name(called(key)), call.inside(info.shape), info.format, Rounding.RND_INF), (), called(key))
        return Flow(node, info)

    def assign(self, key: Key, value: Value) -> None:
        """Let a variable hold another value from here on."""
        self.kept.setdefault(key, Kept()).now = value

    def _same(self, held: Tensor, info: Tensor, key: Key, call: Call) -> None:
        """Refuse a tensor whose numbers mean something else than those of the variable: the kernels copy bytes."""
        if held.type != info.type or held.shape != info.shape:
            what = f"variable {called(key)!r} holds {held.type} {held.shape}, it is read as {info.type} {info.shape}"
            raise call.refuse(what, "give a variable one shape and type")
        if held.format != info.format:
            what = f"variable {called(key)!r} holds {held.format}, it is read as {info.format}"
            raise call.refuse(what, "convert again: both sides of a variable need one scale")

    def states(self, call: Callable[[Value], Call]) -> tuple[State, ...]:
        """Give the states, at the end of an inference: variables that are read before they are assigned.

        ``call`` gives what reads a value, for its node.
        """
        found = []
        for key, kept in self.kept.items():
            if kept.entry is None or kept.initial is None or kept.now is None:
                continue
            reader = call(kept.now)
            self._same(kept.now.info, kept.entry.info, key, reader)
            entry = kept.entry.node
            after = Node(Output(entry.op.name), (reader.operand(0),), entry.where)  # type: ignore[attr-defined]
            found.append(State(entry, after, Array(kept.initial.array.reshape(entry.shape))))
        return tuple(found)


def _node(value: Value) -> Node:
    assert isinstance(value, Flow)
    return value.node


def called(key: Key) -> str:
    """Name a variable as a user knows it."""
    return "/".join(part for part in key if part) or "variable"


def key_of(operator: Operator) -> Key:
    """Give the name of the variable whose handle an operator makes."""
    container, shared = (operator.options.get(k) or "" for k in ("container", "shared_name"))
    return str(container), str(shared)


def assigned(operators: Sequence[Operator]) -> frozenset[Key]:
    """List the variables that operators assign."""
    handles = {o.outputs[0]: key_of(o) for o in operators if o.name == HANDLE and o.outputs}
    found = {handles.get(o.inputs[0]) for o in operators if o.name == ASSIGN and o.inputs and o.inputs[0] is not None}
    return frozenset(key for key in found if key is not None)


__all__ = ["ASSIGN", "HANDLE", "ONCE", "READ", "RESOURCES", "Key", "Resources", "assigned", "key_of"]
