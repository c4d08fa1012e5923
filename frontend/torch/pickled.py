"""State dictionaries of ``torch.save``, read without running their pickle.

A pickle is a program for a small stack machine that may call any function. Here the few instructions that
``torch.save`` writes for a dictionary of tensors are followed by hand; a name is only ever looked up in a short list
and never imported, and what is not in the list is refused. Source: the opcodes are those of Python's ``pickletools``.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...graph import FileError, NDArray, UnsupportedError
from .archive import DAMAGED, EXPORT, READABLE, Archive, Meta, opened, strided

MAX_OPCODES = 5_000_000
STORAGES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool",
}  # fmt: skip
PLAIN = {
    "collections OrderedDict": "dict",
    "torch._utils _rebuild_tensor_v2": "tensor",
    "torch._utils _rebuild_parameter": "parameter",
    **{f"torch {name}": name for name in STORAGES},
}
"""The names that a dictionary of tensors needs, and what each is here."""


@dataclass(frozen=True)
class _Name:
    kind: str


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: str


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]


class _Mark:
    """Where a group of values begins on the stack."""


def read_state(data: bytes, where: str) -> dict[str, NDArray]:
    """Read the bytes of a ``torch.save`` file that holds a dictionary of tensors.

    Raises UnsupportedError where the pickle names anything that such a dictionary does not need, FileError where it is
    damaged.
    """
    if not data:
        return {}
    with opened(data, where) as archive:
        if "data.pkl" not in archive:
            raise FileError("is no file of torch.save", where=where, hint=DAMAGED)
        if "byteorder" in archive and archive.read("byteorder", 64).strip() != b"little":
            raise UnsupportedError("its numbers are not little-endian", where=where, hint="export on a PC")
        state = _Machine(archive.read("data.pkl"), where).run()
        if not isinstance(state, dict):
            raise UnsupportedError("is no dictionary of tensors", where=where, hint=EXPORT)
        return {_named(key, where): _array(archive, value, f"{where}: {key}") for key, value in state.items()}


def _named(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise FileError(f"a tensor is called {key!r}", where=where, hint=DAMAGED)
    return key


def _array(archive: Archive, value: Any, where: str) -> NDArray:
    if not isinstance(value, _Tensor):
        raise UnsupportedError("is no tensor", where=where, hint=EXPORT)
    meta = Meta(value.storage.dtype, value.sizes, value.strides, value.offset)
    return strided(archive.read(f"data/{value.storage.key}"), meta, where)


class _Machine:
    """Follows the instructions of one pickle; values are numbers, strings, containers and the classes above."""

    def __init__(self, data: bytes, where: str) -> None:
        self.data, self.where = data, where
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        try:
            for count, (opcode, argument, _) in enumerate(pickletools.genops(self.data)):
                if count > MAX_OPCODES:
                    raise FileError("its pickle is too long", where=self.where, hint=DAMAGED)
                if opcode.name == "STOP":
                    return self.stack.pop()
                self._step(opcode.name, argument)
        except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
            raise FileError(f"its pickle is damaged: {error}", where=self.where, hint=DAMAGED) from None
        raise FileError("its pickle has no end", where=self.where, hint=DAMAGED)

    def _step(self, name: str, argument: Any) -> None:
        if name in _PUSH:
            self.stack.append(_PUSH[name](argument))
        elif name == "GLOBAL":
            self.stack.append(self._name(argument))
        elif name == "STACK_GLOBAL":
            attribute, module = self.stack.pop(), self.stack.pop()
            self.stack.append(self._name(f"{module} {attribute}"))
        elif name in _STEPS:
            _STEPS[name](self, argument)
        elif name not in ("PROTO", "FRAME"):
            what = f"its pickle does more than store tensors ({name}); pickles are not run"
            raise UnsupportedError(what, where=self.where, hint=EXPORT)

    def _name(self, name: str) -> _Name:
        if name not in PLAIN:
            what = f"its pickle asks for {name.replace(' ', '.')}, which no dictionary of tensors needs; it is not run"
            raise UnsupportedError(what, where=self.where, hint=EXPORT)
        return _Name(PLAIN[name])

    def marked(self) -> list[Any]:
        """Take what is above the last mark off the stack."""
        items: list[Any] = []
        while not isinstance(item := self.stack.pop(), _Mark):
            items.append(item)
        return items[::-1]

    def put(self, key: int) -> None:
        """Remember the top of the stack."""
        self.memo[key] = self.stack[-1]

    def pairs(self, items: list[Any]) -> None:
        """Put keys and values into the dictionary on top of the stack."""
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def extend(self, items: list[Any]) -> None:
        """Append to the list on top of the stack."""
        self.stack[-1].extend(items)

    def persistent(self) -> None:
        """Make a storage of the tuple that names it."""
        kind, storage, key, _, _ = self.stack.pop()
        dtype = STORAGES.get(storage.kind) if kind == "storage" and isinstance(storage, _Name) else None
        if dtype not in READABLE or not isinstance(key, str):
            raise FileError("its pickle names a storage of no known type", where=self.where, hint=DAMAGED)
        self.stack.append(_Storage(key, dtype))

    def reduce(self) -> None:
        """Make a dictionary or a tensor, which is all that may be called."""
        arguments, function = self.stack.pop(), self.stack.pop()
        kind = function.kind if isinstance(function, _Name) else ""
        if kind == "dict" and arguments == ():
            self.stack.append({})
        elif kind == "tensor" and isinstance(arguments[0], _Storage):
            storage, offset, sizes, strides = arguments[:4]
            self.stack.append(_Tensor(storage, offset, tuple(sizes), tuple(strides)))
        elif kind == "parameter" and isinstance(arguments[0], _Tensor):
            self.stack.append(arguments[0])
        else:
            raise UnsupportedError("its pickle calls something else than tensors need", where=self.where, hint=EXPORT)

    def build(self) -> None:
        """Drop the attributes of a dictionary (``_metadata`` of a state dictionary)."""
        self.stack.pop()
        if not isinstance(self.stack[-1], dict):
            raise UnsupportedError("its pickle sets attributes of a tensor", where=self.where, hint=EXPORT)

    def collect(self, make: Callable[[list[Any]], Any]) -> None:
        """Replace what is above the last mark by a container of it."""
        items = self.marked()
        self.stack.append(make(items))

    def tuple_of(self, count: int) -> None:
        """Make a tuple of the last values."""
        items = [self.stack.pop() for _ in range(count)][::-1]
        self.stack.append(tuple(items))


_PUSH: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "UNICODE"), lambda a: a
    ),
    "NONE": lambda a: None,
    "NEWTRUE": lambda a: True,
    "NEWFALSE": lambda a: False,
    "EMPTY_DICT": lambda a: {},
    "EMPTY_LIST": lambda a: [],
    "EMPTY_TUPLE": lambda a: (),
    "MARK": lambda a: _Mark(),
}
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "BINPUT": lambda m, a: m.put(a),
    "LONG_BINPUT": lambda m, a: m.put(a),
    "MEMOIZE": lambda m, a: m.put(len(m.memo)),
    "BINGET": lambda m, a: m.stack.append(m.memo[a]),
    "LONG_BINGET": lambda m, a: m.stack.append(m.memo[a]),
    "TUPLE": lambda m, a: m.collect(tuple),
    "TUPLE1": lambda m, a: m.tuple_of(1),
    "TUPLE2": lambda m, a: m.tuple_of(2),
    "TUPLE3": lambda m, a: m.tuple_of(3),
    "SETITEM": lambda m, a: m.pairs([m.stack.pop(), m.stack.pop()][::-1]),
    "SETITEMS": lambda m, a: m.pairs(m.marked()),
    "APPEND": lambda m, a: m.extend([m.stack.pop()]),
    "APPENDS": lambda m, a: m.extend(m.marked()),
    "BINPERSID": lambda m, a: m.persistent(),
    "REDUCE": lambda m, a: m.reduce(),
    "BUILD": lambda m, a: m.build(),
}
