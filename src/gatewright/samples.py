"""Arrays in and out of files: samples (``.npy``, ``.npz``) and outputs. Nothing is unpickled."""

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .graph import Affine, FileError, GatewrightError, Graph, Inputs, NDArray, OptionError, Stream
from .graph.file import archive, npy

DAMAGE = (
    OSError, ValueError, EOFError, KeyError, MemoryError, RuntimeError, SyntaxError, NotImplementedError,
    struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What numpy and zipfile raise on files that are damaged or made up."""
SMALL = 256 << 20
"""Bytes that a member of an archive may unpack to in any case."""
RATIO = 200
"""A larger member may be so many times as large as it is in the file; real samples pack 2 to 20 times."""
BY_NAME = "numpy.savez(file, **{name: array, ...})"
SAVE_AGAIN = "save them with numpy.save or numpy.savez"


def read_samples(path: str | Path, graph: Graph, *, integers: bool = False) -> Inputs:
    """Read samples from a ``.npy`` file (one input) or an ``.npz`` file (arrays by input name, or one array).

    They are real values, or with ``integers`` the stored integers of the inputs. Raises FileError for what is missing,
    damaged, pickled, or unpacks to far more than the file holds, ShapeError for what does not fit the model's inputs,
    OptionError where real values are asked for and the file has an int8 (uint8, int16) model's type of stored integers.
    """
    file = Path(path)
    samples = _read(file, {op.name for op in graph.input_ops})
    try:
        if not integers:
            _check_real(graph, samples)
        Stream(graph).feed(samples, integers=integers)
    except GatewrightError as error:
        hint = error.hint.replace("leave integers=True out", "leave --integers out")
        hint = BY_NAME if hint.startswith("pass a list") else hint
        raise type(error)(error.what, where=str(file), hint=hint) from None
    return samples


def _check_real(graph: Graph, samples: Inputs) -> None:
    """Raise OptionError where samples are most likely stored integers: real values of that type would be a coincidence,
    and what is computed from them without a word is wrong.
    """
    for node, op in zip(graph.inputs, graph.input_ops, strict=True):
        format = node.type.format
        given = np.asarray(samples[op.name] if isinstance(samples, Mapping) else samples)
        if not isinstance(format, Affine) or (format.scale == 1 and format.zero_point == 0):
            continue
        if given.dtype == f"{'int' if format.signed else 'uint'}{format.width}":
            what = f"input {op.name!r} is {given.dtype}, as stored integers of {format} are; real values are read"
            hint = "gatewright simulate --integers reads stored integers; else save scale * (q - zero) as float32"
            raise OptionError(what, hint=hint)


def _read(file: Path, names: AbstractSet[str]) -> Inputs:
    try:
        with file.open("rb") as stream:
            if stream.read(4)[:2] == b"PK":
                arrays = _members(stream)
            else:
                return np.array(np.load(file, mmap_mode="r", allow_pickle=False))  # a header that lies is refused
    except FileNotFoundError:
        raise FileError("no such file", where=str(file), hint="samples are a .npy or .npz file") from None
    except DAMAGE as error:
        raise FileError(f"cannot read samples: {_reason(error)}", where=str(file), hint=SAVE_AGAIN) from None
    if set(arrays) != names and len(arrays) == 1 == len(names):
        return next(iter(arrays.values()))
    if set(arrays) != names:
        held, wanted = (", ".join(sorted(n)) or "nothing" for n in (arrays, names))
        raise FileError(f"holds {held}; the inputs are called {wanted}", where=str(file), hint=BY_NAME)
    return arrays


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, MemoryError):
        return "it says that it holds more than there is memory for"
    return str(error).split("\n")[0] or type(error).__name__


def _members(stream: BinaryIO) -> dict[str, NDArray]:
    """Read the arrays of an ``.npz`` file by name, none of which may be out of proportion to the file."""
    with zipfile.ZipFile(stream) as z:
        for info in z.infolist():
            if info.file_size > max(SMALL, RATIO * info.compress_size):
                raise ValueError(f"{info.filename} unpacks to {info.file_size:,} bytes, far more than the file holds")
        result = {}
        for info in z.infolist():
            with z.open(info) as member:
                array: Any = np.lib.format.read_array(member, allow_pickle=False)
            result[info.filename.removesuffix(".npy")] = array
        return result


def write_arrays(path: Path, arrays: Mapping[str, NDArray]) -> None:
    """Write one array as ``.npy``, several as ``.npz`` by name; through a file beside the target, so that a failure
    leaves what was there.

    Raises FileError.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        if len(arrays) == 1 and path.suffix != ".npz":
            partial.write_bytes(npy(next(iter(arrays.values()))))
        else:
            partial.write_bytes(archive({f"{name}.npy": npy(a) for name, a in arrays.items()}))
        partial.replace(path)
    except (OSError, ValueError) as error:
        partial.unlink(missing_ok=True)
        raise FileError(f"cannot write: {_reason(error)}", where=str(path)) from None


def check_writable(path: Path) -> None:
    """Raise FileError where outputs could not be written to ``path``: before any work is done."""
    if path.is_dir() or not path.parent.is_dir():
        what = "is a directory" if path.is_dir() else f"there is no directory {path.parent}"
        raise FileError(what, where=str(path), hint="--outputs takes the name of a .npy or .npz file")
