"""Archives of ``torch.export.save``, read as what they are: zip files of JSON and raw numbers. Nothing is unpickled.

Layouts: PyTorch 2.9 on keeps each weight as raw bytes (``data/weights/weight_0``) beside a description in JSON; before
that, state dictionaries were pickled, which ``pickled.py`` reads without running them.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ...graph import FileError, NDArray, UnsupportedError
from .values import MAX_ELEMENTS

DAMAGED = "the file is damaged; export it again with torch.export.save"
EXPORT = 'export it: torch.export.save(torch.export.export(model.eval(), (example,)), "model.pt2")'
MAX_BYTES = 1 << 32
"""All entries of an archive together."""
MAX_JSON = 1 << 28
MAX_RATIO = 200
"""Of an entry to its compressed bytes: PyTorch does not compress at all."""

DTYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16", 28: "uint16", 29: "float8_e4m3fn",
    30: "float8_e5m2", 31: "float8_e4m3fnuz", 32: "float8_e5m2fnuz", 33: "float8_e8m0fnu", 34: "uint32", 35: "uint64",
}  # fmt: skip
"""The element types by their number in the serialized schema (torch/_export/serde/schema.py, ScalarType)."""
STRIDED = 7
READABLE = ("uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64", "bool", "bfloat16")


@dataclass(frozen=True)
class Contents:
    """What an archive holds: the program as JSON, and its parameters, buffers and constants by name."""

    program: dict[str, Any]
    weights: dict[str, NDArray]
    constants: dict[str, NDArray]


class Archive:
    """A zip file whose entries are read whole, by exact name, within limits."""

    def __init__(self, file: zipfile.ZipFile, where: str) -> None:
        self.file, self.where = file, where
        infos = file.infolist()
        if sum(i.file_size for i in infos) > MAX_BYTES:
            raise FileError("it unpacks to over 4 GiB", where=where, hint="the file may be damaged")
        names = [i.filename for i in infos]
        if len(set(names)) != len(names):
            raise FileError("two entries have the same name", where=where, hint=DAMAGED)
        roots = {n.partition("/")[0] for n in names if n.endswith(("/archive_format", "/data.pkl"))}
        self.root = f"{roots.pop()}/" if len(roots) == 1 else ""
        self.names = frozenset(names)

    def __contains__(self, name: str) -> bool:
        return self.root + name in self.names

    def listed(self) -> list[str]:
        """Give the names of the entries, without the folder that all are in."""
        return sorted(n.removeprefix(self.root) for n in self.names)

    def read(self, name: str, limit: int = MAX_BYTES) -> bytes:
        """Give the bytes of an entry. Raises FileError where it is missing, damaged or too large."""
        try:
            info = self.file.getinfo(self.root + name)
        except KeyError:
            raise FileError(f"it has no entry {name!r}", where=self.where, hint=DAMAGED) from None
        if info.file_size > limit or info.file_size > MAX_RATIO * max(info.compress_size, 1):
            raise FileError(
                f"{name} unpacks to {info.file_size:,} bytes", where=self.where, hint="the file may be damaged"
            )
        try:
            with self.file.open(info) as stream:
                data = stream.read(info.file_size + 1)
        except (
            zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError,
        ) as error:  # fmt: skip
            raise FileError(f"{name} cannot be read: {error}", where=self.where, hint=DAMAGED) from None
        if len(data) != info.file_size:
            raise FileError(f"{name} is not as long as it should be", where=self.where, hint=DAMAGED)
        return data

    def json(self, name: str) -> dict[str, Any]:
        """Give an entry of JSON that is an object."""
        return parse_json(self.read(name, MAX_JSON), f"{self.where}: {name}")


def parse_json(data: bytes, where: str) -> dict[str, Any]:
    """Read a JSON object. Raises FileError."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FileError(f"is not JSON: {error}", where=where, hint=DAMAGED) from None
    if not isinstance(value, dict):
        raise FileError("is not a JSON object", where=where, hint=DAMAGED)
    return value


@contextmanager
def opened(source: Path | bytes, where: str) -> Iterator[Archive]:
    """Open a file, or its bytes, as an archive. Raises FileError where it is no zip file."""
    try:
        file = zipfile.ZipFile(BytesIO(source) if isinstance(source, bytes) else source)
    except OSError as error:
        hint = "check the name" if isinstance(error, FileNotFoundError) else DAMAGED
        raise FileError(f"cannot be read: {error.strerror or error}", where=where, hint=hint) from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, RuntimeError) as error:
        raise FileError(f"is no archive of torch.export.save: {error}", where=where, hint=EXPORT) from None
    with file:
        yield Archive(file, where)


def read(source: Path | bytes, where: str) -> Contents:
    """Read an archive. Raises FileError where it is damaged or something else, UnsupportedError for pickled modules."""
    with opened(source, where) as archive:
        if "serialized_exported_program.json" in archive:
            return _older(archive)
        models = [n for n in archive.listed() if n.startswith("models/") and n.endswith(".json")]
        if len(models) > 1:
            names = ", ".join(n[7:-5] for n in models)
            raise UnsupportedError(
                f"it holds {len(models)} programs: {names}", where=where, hint="save one program a file"
            )
        if not models:
            raise _no_program(archive)
        return _contents(archive, models[0][7:-5])


def _no_program(archive: Archive) -> FileError | UnsupportedError:
    """Say what an archive without an exported program is."""
    if "data.pkl" in archive:
        kind = (
            "a TorchScript module"
            if "constants.pkl" in archive
            else "a pickled module or state dictionary (torch.save)"
        )
        return UnsupportedError(f"is {kind}; pickles run code, so none is read", where=archive.where, hint=EXPORT)
    if any(n.startswith("data/aotinductor/") for n in archive.listed()):
        return UnsupportedError("holds compiled code only", where=archive.where, hint=EXPORT)
    return FileError("holds no exported program (models/*.json)", where=archive.where, hint=EXPORT)


def _contents(archive: Archive, name: str) -> Contents:
    if "byteorder" in archive and archive.read("byteorder", 64).strip() != b"little":
        raise UnsupportedError("its numbers are not little-endian", where=archive.where, hint="export on a PC")
    return Contents(
        archive.json(f"models/{name}.json"),
        _stored(archive, f"data/weights/{name}", f"data/weights/{name}_weights_config.json", "data/weights"),
        _stored(archive, f"data/constants/{name}", f"data/constants/{name}_constants_config.json", "data/constants"),
    )


def _stored(archive: Archive, base: str, config: str, folder: str) -> dict[str, NDArray]:
    """Read parameters: as raw bytes with a description (PyTorch 2.9 on), or from one pickled dictionary (2.8)."""
    from .pickled import read_state

    if config not in archive:
        return read_state(archive.read(f"{base}.pt"), f"{archive.where}: {base}.pt")
    entries = archive.json(config).get("config")
    if not isinstance(entries, dict):
        raise FileError(f"{config} describes nothing", where=archive.where, hint=DAMAGED)
    found: dict[str, NDArray] = {}
    for name, meta in entries.items():
        place = f"{archive.where}: {name}"
        if not isinstance(meta, dict) or not isinstance(meta.get("path_name"), str):
            raise FileError("its description is damaged", where=place, hint=DAMAGED)
        if meta.get("use_pickle"):
            what = "is a pickled object, which is not read"
            raise UnsupportedError(what, where=place, hint="use plain tensors: no subclasses, no script objects")
        tensor = meta_of(meta.get("tensor_meta"), place)
        found[name] = strided(archive.read(f"{folder}/{meta['path_name']}"), tensor, place)
    return found


def _older(archive: Archive) -> Contents:
    """Read the layout of PyTorch 2.1 to 2.7: four entries, the dictionaries of weights pickled."""
    from .pickled import read_state

    where, parts = archive.where, {}
    for part in ("state_dict", "constants"):
        name = next((n for n in (f"serialized_{part}.pt", f"serialized_{part}.json") if n in archive), None)
        parts[part] = read_state(archive.read(name), f"{where}: {name}") if name else {}
    return Contents(archive.json("serialized_exported_program.json"), parts["state_dict"], parts["constants"])


@dataclass(frozen=True)
class Meta:
    """Element type, shape, strides and offset (in elements) of a stored tensor."""

    dtype: str
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


def meta_of(value: Any, where: str) -> Meta:
    """Read a serialized ``TensorMeta`` whose lengths are all known."""
    try:
        sizes, strides = (tuple(s["as_int"] for s in value[key]) for key in ("sizes", "strides"))
        dtype, layout, offset = DTYPES[value["dtype"]], value["layout"], value["storage_offset"]["as_int"]
    except (KeyError, TypeError):
        raise FileError("its description is damaged", where=where, hint=DAMAGED) from None
    if layout != STRIDED:
        raise UnsupportedError("it is not a dense tensor", where=where, hint="use dense tensors: x.to_dense()")
    return Meta(dtype, sizes, strides, offset)


def strided(data: bytes, meta: Meta, where: str) -> NDArray:
    """Give the tensor that lies in a storage. Raises FileError where it reaches beyond it."""
    if meta.dtype not in READABLE:
        raise UnsupportedError(f"its type is {meta.dtype}", where=where, hint="convert the model to float32")
    wide = np.dtype("<u2" if meta.dtype == "bfloat16" else meta.dtype).newbyteorder("<")
    numbers = (*meta.sizes, *meta.strides, meta.offset)
    if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in numbers) or len(meta.sizes) != len(
        meta.strides
    ):
        raise FileError(f"shape {meta.sizes} with strides {meta.strides}", where=where, hint=DAMAGED)
    if prod(meta.sizes) > MAX_ELEMENTS:
        raise FileError(f"its shape is {meta.sizes}", where=where, hint=f"at most {MAX_ELEMENTS:,} elements")
    last = meta.offset + sum((n - 1) * s for n, s in zip(meta.sizes, meta.strides, strict=True))
    if prod(meta.sizes) and (last + 1) * wide.itemsize > len(data):
        raise FileError(f"{len(data)} bytes do not hold shape {meta.sizes}", where=where, hint=DAMAGED)
    if not prod(meta.sizes):
        return np.zeros(meta.sizes, np.float32 if meta.dtype == "bfloat16" else meta.dtype)
    flat = np.frombuffer(data, wide, count=len(data) // wide.itemsize)
    steps = tuple(s * wide.itemsize for s in meta.strides)
    view = np.lib.stride_tricks.as_strided(flat[meta.offset :], meta.sizes, steps, writeable=False)
    return from_bits(view.copy(), meta.dtype)


def from_bits(array: NDArray, dtype: str) -> NDArray:
    """Widen bfloat16, stored as its upper sixteen bits, to the float32 that it is; others are native already."""
    if dtype == "bfloat16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(dtype) if dtype != "bool" else array.view(np.uint8) != 0
