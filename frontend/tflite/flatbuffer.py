"""Reading of flatbuffers by a table of fields, with every offset and length checked before it is followed.

Format: https://flatbuffers.dev/internals. A table starts with a signed offset back to its vtable, which lists where
each field lies; vectors and strings start with their length; offsets count from where they stand.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...graph import FileError, NDArray

SCALARS: Mapping[str, "np.dtype[Any]"] = {
    name: np.dtype(code)
    for name, code in {
        "bool": "u1", "i8": "i1", "u8": "u1", "i16": "<i2", "u16": "<u2", "i32": "<i4", "u32": "<u4", "i64": "<i8",
        "u64": "<u8", "f32": "<f4",
    }.items()
}  # fmt: skip
DAMAGED = "the file is damaged; convert or copy it again"


@dataclass(frozen=True)
class Field:
    """One field of a table: its name, its kind and what it is where it is not stored.

    Kinds: a scalar of ``SCALARS``, ``str``, ``union`` (any table), the name of a table, or one of these in brackets: a
    vector. ``-`` is a field that no longer exists.
    """

    name: str
    kind: str
    default: Any = None


Schema = Mapping[str, tuple[Field, ...]]


def parse_schema(text: str) -> Schema:
    """Read lines ``Table: field kind, field kind = default, ...``; one table a line."""
    tables = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, fields = line.partition(":")
        tables[name.strip()] = tuple(_field(part) for part in fields.split(",") if part.strip())
    return tables


def _field(text: str) -> Field:
    left, _, default = text.partition("=")
    name, kind = left.split()
    if kind not in SCALARS:
        return Field(name, kind)
    value = float(default or 0) if kind == "f32" else int(default or 0)
    return Field(name, kind, bool(value) if kind == "bool" else value)


@dataclass(frozen=True)
class Table:
    """Where a table lies in the file; ``Reader.table`` gives its fields."""

    position: int


class Reader:
    """A flatbuffer of which nothing is believed. All methods raise FileError for what lies outside of the data."""

    def __init__(self, data: bytes, schema: Schema, where: str) -> None:
        self.data, self.schema, self.where = data, schema, where
        self._left = 64 * len(data) + (1 << 20)

    def damaged(self, what: str) -> FileError:
        """Give the error for a file that contradicts itself."""
        return FileError(what, where=self.where, hint=DAMAGED)

    def root(self) -> Table:
        """Give the table that the file starts with."""
        return Table(self._offset(0))

    def _bytes(self, position: int, size: int) -> memoryview:
        if not 0 <= position <= len(self.data) - size:
            raise self.damaged(f"{size} bytes at {position} lie outside of the file's {len(self.data)}")
        self._left -= size + 4
        if self._left < 0:  # many offsets that lead to one place
            raise self.damaged("its parts overlap")
        return memoryview(self.data)[position : position + size]

    def _scalar(self, position: int, kind: str) -> Any:
        dtype = SCALARS[kind]
        value = np.frombuffer(self._bytes(position, dtype.itemsize), dtype)[0].item()
        if kind == "bool" and value not in (0, 1):
            raise self.damaged(f"a truth value is {value}")
        return bool(value) if kind == "bool" else value

    def _offset(self, position: int) -> int:
        return position + int(self._scalar(position, "u32"))

    def table(self, table: Table, name: str) -> dict[str, Any]:
        """Give every field of a table by name; those that no schema knows as ``field N``."""
        fields = self.schema[name]
        slots, end = self._vtable(table)
        values: dict[str, Any] = {f.name: f.default for f in fields if f.kind != "-"}
        for slot, offset in enumerate(slots):
            if not offset:
                continue
            if slot >= len(fields) or fields[slot].kind == "-":
                values[f"field {slot}"] = "of a newer or older version of the format"
                continue
            field = fields[slot]
            size = SCALARS[field.kind].itemsize if field.kind in SCALARS else 4
            if offset < 4 or offset + size > end:
                raise self.damaged(f"{name}.{field.name} lies outside of its table")
            values[field.name] = self._value(table.position + offset, field.kind)
        return values

    def _vtable(self, table: Table) -> tuple[list[int], int]:
        """Give the offsets of the fields, and the size of the table."""
        position = table.position - int(self._scalar(table.position, "i32"))
        size, end = int(self._scalar(position, "u16")), int(self._scalar(position + 2, "u16"))
        if size < 4 or size % 2 or end < 4:
            raise self.damaged(f"a table of {end} bytes has a list of fields of {size}")
        self._bytes(table.position, end)
        return np.frombuffer(self._bytes(position + 4, size - 4), "<u2").tolist(), end

    def _value(self, position: int, kind: str) -> Any:
        if kind in SCALARS:
            return self._scalar(position, kind)
        target = self._offset(position)
        if kind == "str":
            return self._vector(target, SCALARS["u8"]).tobytes().decode(errors="replace")
        if kind == "union":
            return Table(target)
        if kind[0] != "[":
            return self.table(Table(target), kind)
        inner = kind[1:-1]
        if inner in SCALARS:
            return self._vector(target, SCALARS[inner])
        starts = self._vector(target, SCALARS["u32"])
        return [self._element(target + 4 + 4 * i + int(start), inner) for i, start in enumerate(starts)]

    def _element(self, position: int, kind: str) -> Any:
        if kind == "str":
            return self._vector(position, SCALARS["u8"]).tobytes().decode(errors="replace")
        return self.table(Table(position), kind)

    def _vector(self, position: int, dtype: "np.dtype[Any]") -> NDArray:
        length = int(self._scalar(position, "u32"))
        return np.frombuffer(self._bytes(position + 4, length * dtype.itemsize), dtype)
