"""A compiled network, called from Python: real numbers in and out, or its own integers without any copy.

This file needs numpy only. It stands in the package of every network as it is.
"""

import ctypes
import itertools
import platform
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Numbers = float | Sequence[Any]
ALIGNMENT = 64
LEAST, GREATEST = -(2**63), 2**63 - 1
STATUS = {
    1: "an index lies outside of what it picks from", 2: "whole numbers are divided by zero",
    3: "the processor has no AMX, or the system does not let this process use it",
}  # fmt: skip


@dataclass(frozen=True)
class Port:
    """An input or output: ``shape`` of a sample in the layout of the source model, ``dtype`` of what the library reads
    or writes. A real value is ``scale * (q - zero)``, or, where ``fraction`` is given, ``q * 2**-fraction``.

    ``low`` and ``high``: the range of q. ``rounding`` and ``overflow`` say how real numbers are brought to it. Numbers
    that differ by channel or element are nested lists that broadcast to the shape. A ``strict`` input takes numbers
    that it holds exactly, and no others.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: Numbers = 1.0
    zero: int | Sequence[Any] = 0
    fraction: int | Sequence[Any] | None = None
    low: int | Sequence[Any] = 0
    high: int | Sequence[Any] = 0
    bits: int | Sequence[Any] = 0
    signed: bool | Sequence[Any] = True
    rounding: str = "RND"
    overflow: str = "SAT"
    strict: bool = False

    @property
    def real(self) -> bool:
        """Whether the library itself reads or writes real numbers."""
        return "float" in self.dtype

    @property
    def stored(self) -> str:
        """Numpy's type of what stands in memory: it has no bfloat16, whose bits stand there."""
        return "uint16" if self.dtype == "bfloat16" else self.dtype

    def array(self, x: Any) -> Array:
        """Check what was passed: numbers [batch, *shape]. Raises ValueError."""
        try:
            array = np.asarray(x)
        except ValueError as error:
            raise ValueError(f"input {self.name!r} is not an array: {error}") from None
        if array.dtype.kind not in "fiub":
            raise ValueError(f"input {self.name!r} has the type {array.dtype}; give numbers")
        if array.ndim == 0 or array.shape[1:] != self.shape:
            wanted = ("batch", *self.shape)
            raise ValueError(
                f"input {self.name!r} has the shape {array.shape}, the model reads {wanted}{self._hint(array)}"
            )
        if not len(array):
            raise ValueError(f"input {self.name!r} has no samples: the first axis is the batch")
        return array

    def _hint(self, array: Array) -> str:
        if array.shape == self.shape:
            return "; one sample needs a batch axis: x[None]"
        if array.ndim == len(self.shape) + 1 and sorted(array.shape[1:]) == sorted(self.shape):
            return "; the axes are in another order than the model's: x.transpose(...)"
        return ""

    def quantize(self, x: Array) -> Array:
        """Real (or whole) numbers -> what the library reads. Raises ValueError for what cannot be brought to it."""
        if self.real:
            with np.errstate(over="ignore"):
                return upper_half(x) if self.dtype == "bfloat16" else x.astype(self.dtype)
        q = self._overflow(self._offset(self._rounded(x)))
        if self.strict and not np.array_equal(self.dequantize(q), x):
            raise ValueError(f"input {self.name!r} holds whole numbers from {self.low} to {self.high}; got others")
        return q.astype(self.dtype)

    def _rounded(self, x: Array) -> Array:
        """Numbers in units of the scale, whole but in float64 (or int64, where no precision may be lost)."""
        if x.dtype.kind != "f":
            return self._whole(x)
        with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
            x = x.astype(np.float32)
            if not np.isfinite(x).all():
                raise ValueError(f"input {self.name!r} holds NaN or infinite values")
            if self.fraction is not None:
                return rounded(np.ldexp(x.astype(np.float64), np.asarray(self.fraction, np.int32)), self.rounding)
            units = (x / np.asarray(self.scale, np.float64).astype(np.float32)).astype(np.float64)
        if not np.isfinite(units).all():
            raise ValueError(f"input {self.name!r} leaves the range of float32 in units of {self.scale}")
        return rounded(units, self.rounding)

    def _whole(self, x: Array) -> Array:
        """Whole numbers in units of the scale: exactly, in Python's integers where float64 may be wrong."""
        scale = np.asarray(self.scale, np.float64)
        if self.fraction is not None:
            scale = np.ldexp(1.0, -np.asarray(self.fraction, np.int32))
        result = rounded(x.astype(np.float64) / scale, self.rounding)
        units = x.astype(np.float64) / scale
        edge = units - np.floor(units)
        near = np.minimum(np.minimum(edge, 1.0 - edge), np.abs(edge - 0.5)) <= np.abs(units) * 2.0**-50
        scales = np.broadcast_to(scale, x.shape)
        for place in np.argwhere(near & (scales != 1.0)):
            at = tuple(place)
            result[at] = exactly(Fraction(int(x[at])) / ratio(float(scales[at])), self.rounding)
        return x.astype(np.int64) if (scale == 1.0).all() else result

    def _offset(self, units: Array) -> Array:
        """Bring whole numbers to int64, and add the zero point."""
        if units.dtype.kind == "f":
            units = wrapped(units) if self.overflow == "WRAP" else saturated(units)
        zero = np.asarray(self.zero, np.int64)
        if self.overflow == "WRAP":
            return np.asarray(units + zero)
        least, greatest = np.where(zero < 0, LEAST - zero, LEAST), np.where(zero > 0, GREATEST - zero, GREATEST)
        return np.asarray(np.clip(units, least, greatest) + zero)

    def _overflow(self, q: Array) -> Array:
        low, high = np.asarray(self.low, np.int64), np.asarray(self.high, np.int64)
        match self.overflow:
            case "SAT":
                return np.clip(q, low, high)
            case "SAT_SYM":
                return np.clip(q, np.where(low < 0, -high, 0), high)
            case "SAT_ZERO":
                return np.where((q < low) | (q > high), np.clip(np.asarray(self.zero, np.int64), low, high), q)
        drop = 64 - np.asarray(self.bits, np.int64)
        top = np.left_shift(q, drop)
        without = np.right_shift(top.view(np.uint64), drop.astype(np.uint64)).view(np.int64)
        return np.where(np.asarray(self.signed, bool), np.right_shift(top, drop), without)

    def values(self, q: Array) -> Array:
        """What the library writes -> real numbers: float32 where q has at most 24 bits, else float64."""
        if self.dtype == "bfloat16":
            return (q.astype(np.uint32) << 16).view(np.float32)
        if self.real:
            return q.copy()
        return self.dequantize(q).astype(np.float32 if np.max(self.bits) <= 24 else np.float64)

    def dequantize(self, q: Array) -> Array:
        """Integers -> real numbers, in float64."""
        if self.fraction is not None:
            return np.ldexp(q.astype(np.float64), -np.asarray(self.fraction, np.int32))
        centred = q.astype(np.int64) - np.asarray(self.zero, np.int64)
        return centred.astype(np.float64) * np.asarray(self.scale, np.float64)


def upper_half(x: Array) -> Array:
    """Give the bits of the nearest bfloat16, halves to even: the upper half of those of float32."""
    wide = np.ascontiguousarray(x, np.float32)
    bits = wide.view(np.uint32)
    kept = (bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(wide), np.uint32(0x7FC0), kept).astype(np.uint16)


def rounded(u: Array, mode: str) -> Array:
    """Round float64 values; the names of the modes are those of ap_fixed."""
    match mode:
        case "TRN":
            return np.floor(u)
        case "TRN_ZERO":
            return np.trunc(u)
        case "RND_CONV":
            return np.rint(u)
    whole = np.trunc(u)
    rest = u - whole
    up = rest >= 0.5 if mode in ("RND", "RND_INF") else rest > 0.5
    down = rest <= -0.5 if mode in ("RND_INF", "RND_MIN_INF") else rest < -0.5
    return np.asarray(whole + up - down)


def saturated(units: Array) -> Array:
    """Whole floats -> the nearest int64."""
    inside = np.abs(units) < 2.0**63
    return np.where(inside, np.where(inside, units, 0.0).astype(np.int64), np.where(units < 0, LEAST, GREATEST))


def wrapped(units: Array) -> Array:
    """Whole floats -> the int64 that is equal modulo 2^64."""
    rest = np.fmod(units, 2.0**64)
    rest = rest - np.where(rest >= 2.0**63, 2.0**64, 0.0) + np.where(rest < -(2.0**63), 2.0**64, 0.0)
    return rest.astype(np.int64)


def ratio(scale: float) -> Fraction:
    """Give the number that a scale was before it became a float: the one with a short denominator, if there is one."""
    short = Fraction(scale).limit_denominator(1 << 20)
    return short if float(short) == scale else Fraction(scale)


def exactly(u: Fraction, mode: str) -> int:
    """Round one number."""
    floor = u.numerator // u.denominator
    rest = u - floor
    half = Fraction(1, 2)
    up = {
        "TRN": False, "TRN_ZERO": u < 0 and rest > 0, "RND": rest >= half, "RND_MIN_INF": rest > half,
        "RND_ZERO": rest > half or (rest == half and u < 0), "RND_INF": rest > half or (rest == half and u >= 0),
        "RND_CONV": rest > half or (rest == half and floor % 2 == 1),
    }[mode]  # fmt: skip
    return floor + up


class Library:
    """A shared library and what its ports mean; ``triple`` says for whom it was compiled, ``needs`` what its processor
    must have (names of /proc/cpuinfo).

    Raises ImportError where it cannot run on this machine.
    """

    begin: Any = None
    """What sets a network that remembers to its beginning."""

    def __init__(
        self, path: Path, *, name: str, triple: str, arena: int, inputs: Sequence[Port], outputs: Sequence[Port],
        needs: Sequence[str] = (), remembers: bool = False,
    ) -> None:  # fmt: skip
        self.inputs, self.outputs, self.arena = tuple(inputs), tuple(outputs), arena
        _check_processor(path, triple, needs)
        try:
            self._library = ctypes.CDLL(str(path))
        except OSError as error:
            raise ImportError(_refused(path, triple, error)) from None
        self.call, self.call_parallel = (self._entry(f"{name}_run_bound{kind}") for kind in ("", "_parallel"))
        if remembers:
            self.begin = self._entry(f"{name}_init")
        body = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
        self.parallel_for = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, body, ctypes.c_void_p)
        self._own = threading.local()

    def _entry(self, symbol: str) -> Any:
        entry = self._library[symbol]
        entry.argtypes, entry.restype = [ctypes.c_void_p], ctypes.c_int
        return entry

    def run(self, x: Any, *, threads: int = 1) -> Any:
        """Compute the outputs for samples [batch, *shape] in the layout of the source model.

        One input is an array; several are a sequence of arrays or a mapping by name. Gives an array, a tuple, or,
        where ``x`` is a mapping, a dictionary. Raises ValueError for what the model does not read.

        Samples of a network that remembers are steps, in order, from its beginning on; ``Network`` goes on.
        """
        stored = [port.quantize(port.array(v)) for port, v in zip(self.inputs, self._sorted(x), strict=True)]
        if len({len(v) for v in stored}) != 1:
            raise ValueError(f"the inputs have batches of {sorted({len(v) for v in stored})}; give all the same number")
        network = self._network(threads)
        if self.begin is not None:
            network.reset()
        results = self._batch(stored, network)
        values = [port.values(r) for port, r in zip(self.outputs, results, strict=True)]
        if isinstance(x, Mapping):
            return {port.name: v for port, v in zip(self.outputs, values, strict=True)}
        return values[0] if len(values) == 1 else tuple(values)

    def _sorted(self, x: Any) -> list[Any]:
        names = [port.name for port in self.inputs]
        if isinstance(x, Mapping):
            if set(x) != set(names):
                raise ValueError(f"the inputs are called {', '.join(names)}; got {', '.join(map(str, x))}")
            return [x[name] for name in names]
        if len(names) == 1:
            return [x]
        if not isinstance(x, (list, tuple)) or len(x) != len(names):
            raise ValueError(f"the model has {len(names)} inputs: {', '.join(names)}; pass a list or a dictionary")
        return list(x)

    def _network(self, threads: int) -> "Network":
        """Give the calling thread's own memory."""
        held: dict[int, Network] = self._own.__dict__.setdefault("networks", {})
        if threads not in held:
            held[threads] = Network(self, threads=threads)
        return held[threads]

    def _batch(self, stored: Sequence[Array], network: "Network") -> list[Array]:
        count = len(stored[0])
        results = [np.empty((count, *port.shape), port.stored) for port in self.outputs]
        for k in range(count):
            for held, given in zip(network.inputs, stored, strict=True):
                held[...] = given[k]
            if status := network.run():
                raise ValueError(f"sample {k}: {STATUS.get(status, f'status {status}')}")
            for result, held in zip(results, network.outputs, strict=True):
                result[k] = held
        return results


class Network:
    """Memory for one call at a time. ``inputs`` and ``outputs`` are arrays (one sample, the library's own numbers, in
    the layout of the source model): write the ones, call ``run()``, read the others. Nothing is allocated or copied.

    ``run()`` gives 0, 1 where an index lay outside of what it picks from, 2 where whole numbers were divided by zero, 3
    where a library for AMX does not get it from the system.
    With ``threads`` large layers are shared among so many.
    """

    def __init__(self, library: Library, *, threads: int = 1) -> None:
        if threads < 1:
            raise ValueError(f"{threads} threads; give 1 or more")
        self.inputs = [aligned(port.shape, port.stored) for port in library.inputs]
        self.outputs = [aligned(port.shape, port.stored) for port in library.outputs]
        self._arena = aligned((max(library.arena, 1),), "uint8")
        addresses = [a.ctypes.data for a in (*self.inputs, *self.outputs, self._arena)]
        self._library = library
        self.reset()
        call = library.call
        if threads > 1:
            self._pool = ThreadPoolExecutor(threads)
            self._share = library.parallel_for(partial(_share, self._pool, threads))
            addresses += [ctypes.cast(self._share, ctypes.c_void_p).value or 0, 0]
            call = library.call_parallel
        self._pointers = (ctypes.c_void_p * len(addresses))(*addresses)
        self.run: Callable[[], int] = partial(call, ctypes.addressof(self._pointers))

    def reset(self) -> None:
        """Let a network that remembers begin anew; each object is a stream of its own."""
        if self._library.begin is not None:
            self._library.begin(self._arena.ctypes.data)


def _share(pool: ThreadPoolExecutor, threads: int, context: int, parts: int, body: Any, operands: int) -> None:
    """Run ``body`` over 0 to ``parts`` in as many ranges as there are threads."""
    del context
    ends = [parts * i // threads for i in range(threads + 1)]
    ranges = [(a, b) for a, b in itertools.pairwise(ends) if a < b]
    waiting = [pool.submit(body, operands, a, b) for a, b in ranges[1:]]
    body(operands, *ranges[0])
    for each in waiting:
        each.result()


def aligned(shape: Sequence[int], dtype: str) -> Array:
    """Make an array of zeros whose first element stands at a multiple of 64 bytes."""
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    begin = -raw.ctypes.data % ALIGNMENT
    return raw[begin : begin + size].view(dtype).reshape(shape)


def _refused(path: Path, triple: str, error: OSError) -> str:
    """Say why a library cannot be loaded."""
    here = f"{platform.machine()} ({platform.system()})"
    if "wrong ELF class" in str(error) or "invalid ELF header" in str(error) or platform.machine() not in triple:
        return f"{path.name} is compiled for {triple}, this machine is {here}; compile the model for this one"
    return f"{path.name} cannot be loaded: {error}"


def _check_processor(path: Path, triple: str, needs: Sequence[str]) -> None:
    """Raise ImportError where the processor lacks instructions, which would end the process later."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features"))), None)
    lacks = [n for n in needs if flags is not None and n not in flags]
    if lacks and platform.machine() in triple:
        what = f"{path.name} needs a processor with {', '.join(lacks)}, which this one lacks"
        raise ImportError(f"{what}; compile the model with --board host")


__all__ = ["Library", "Network", "Port"]
