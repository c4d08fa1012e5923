"""A TFLite model as plain data: one subgraph, its tensors and operators; every index and size checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from ...graph import Affine, FileError, Fixed, Format, Grid, NDArray, UnsupportedError
from ...graph.formats import FLOAT, HALF
from .flatbuffer import DAMAGED

MAX_ELEMENTS = 1 << 26
"""No tensor may be larger: 256 MiB of float32."""

DTYPES: Mapping[str, "np.dtype[Any]"] = {
    name: np.dtype(code)
    for name, code in {
        "FLOAT32": "<f4", "FLOAT16": "<f2", "FLOAT64": "<f8", "INT8": "i1", "UINT8": "u1", "INT16": "<i2",
        "UINT16": "<u2", "INT32": "<i4", "UINT32": "<u4", "INT64": "<i8", "BOOL": "?", "INT4": "i1",
    }.items()
}  # fmt: skip
"""Element types that are read, as numpy holds them; two INT4 share a byte in the file."""

INTEGERS: Mapping[str, tuple[int, bool]] = {
    "INT4": (4, True), "INT8": (8, True), "UINT8": (8, False), "INT16": (16, True), "UINT16": (16, False),
    "INT32": (32, True), "UINT32": (32, False), "INT64": (64, True), "BOOL": (1, False),
}  # fmt: skip
"""Bits and sign of the integer types."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """What the file says of a tensor. ``shape`` is the source's, with the batch; ``open`` the axes said to be open.

    ``scales`` and ``zero_points`` are empty where the tensor is not quantized; several go along ``axis``. ``half``: a
    constant of float32 that stands in the file as float16.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    type: str
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    axis: int = 0
    open: tuple[int, ...] = ()
    variable: bool = False
    data: memoryview | None = None
    problem: str = ""
    half: bool = False

    @property
    def is_float(self) -> bool:
        """Whether it holds floating-point numbers."""
        return self.type in ("FLOAT32", "FLOAT16", "FLOAT64", "BFLOAT16")

    @property
    def is_quantized(self) -> bool:
        """Whether its integers have a scale."""
        return bool(self.scales) and self.type in INTEGERS

    @property
    def scale(self) -> float:
        """The scale of a tensor that has one for all, a float32; 0 where it has several or none, as the runtime."""
        return self.scales[0] if len(self.scales) == 1 else 0.0

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor that has one for all."""
        return self.zero_points[0] if len(self.zero_points) == 1 else 0

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest stored integer."""
        width, signed = INTEGERS[self.type]
        return (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)

    @cached_property
    def format(self) -> Format:
        """What the stored numbers mean. Raises FileError for scales that are none."""
        if self.is_float:
            return HALF if self.half or self.type == "FLOAT16" else FLOAT
        width, signed = INTEGERS[self.type]
        if not self.scales:
            return Fixed(width, width, signed)
        if not all(np.isfinite(s) and s > 0 for s in self.scales):
            raise FileError(f"a scale of tensor {self.name!r} is not above zero", hint="convert the model again")
        scale, zero = self._grid([Fraction(s) for s in self.scales]), self._grid(list(self.zero_points))
        zero_point = zero if isinstance(zero, Grid) else int(zero)
        return Affine(width, signed, scale if isinstance(scale, Grid) else Fraction(scale), zero_point)

    def _grid(self, values: list[Any]) -> "int | Fraction | Grid":
        kind = object if isinstance(values[0], Fraction) else np.int64
        cells = np.array(values, dtype=kind)
        if len(values) > 1:
            cells = cells.reshape(-1, *(1,) * (len(self.shape) - 1 - self.axis))
        return Grid.of(cells)

    def read(self, where: str) -> NDArray:
        """Give the stored numbers of a constant [*shape]. Raises FileError where they do not fit the shape."""
        dtype, count = self.dtype(where), prod(self.shape)
        assert self.data is not None
        size = (count + 1) // 2 if self.type == "INT4" else count * dtype.itemsize
        if len(self.data) != size:
            what = f"tensor {self.name!r} of shape {self.shape} has {len(self.data)} bytes, not {size}"
            raise FileError(what, where=where, hint=DAMAGED)
        if self.type == "INT4":
            return _unpacked(np.frombuffer(self.data, np.int8))[:count].reshape(self.shape)
        values = np.frombuffer(self.data, np.uint8 if self.type == "BOOL" else dtype)
        return values.astype(dtype).reshape(self.shape)

    def dtype(self, where: str) -> "np.dtype[Any]":
        """Give numpy's type of the stored numbers. Raises UnsupportedError for types that are not read."""
        if self.type not in DTYPES:
            raise UnsupportedError(f"tensor {self.name!r} has type {self.type}", where=where, hint=TYPES_HINT)
        return DTYPES[self.type]


TYPES_HINT = "tensors of float32, int8, uint8, int16 and int32 are supported; see docs/tflite.md"


def _unpacked(packed: NDArray) -> NDArray:
    """Two integers of 4 bits a byte, the lower half first."""
    low, high = np.left_shift(packed, 4) >> 4, packed >> 4
    return np.stack([low, high], axis=-1).ravel()


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator: its name, version, the tensors it reads (None: left out) and makes, its options by name."""

    index: int
    name: str
    version: int
    inputs: tuple[int | None, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]
    custom: str = ""
    intermediates: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Model:
    """A model of one subgraph. ``place`` names the file in errors. ``initializers``: the subgraphs, by number, that run
    once before the first inference (CALL_ONCE).
    """

    place: str
    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    initializers: Mapping[int, "Model"] = field(default_factory=dict)
