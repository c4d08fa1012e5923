"""Opening files that others made: zip members and JSON of bounded size and depth, HDF5 without links."""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...graph import FileError, NDArray
from .heap import heaps_end

MAX_TEXT = 64 << 20
"""Bytes of a configuration: a network of thousands of layers needs a few MB."""
MAX_RATIO = 100
"""How much larger than the file its content may be; trained weights hardly compress."""
FREE_BYTES = 16 << 20
"""Content that is accepted at any ratio."""
MAX_DEPTH = 100
"""Nesting of a configuration: models in models in models, each with some ten levels."""


def read_bytes(path: Path, limit: int = MAX_TEXT) -> bytes:
    """Give the content of a file of at most ``limit`` bytes."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise FileError(f"cannot read it ({error.strerror})", where=str(path), hint="check the name") from None
    if len(data) > limit:
        raise FileError(f"over {limit >> 20} MB", where=str(path), hint="this is not a Keras configuration")
    return data


def read_member(path: Path, name: str, *, limit: int | None = None) -> bytes | None:
    """Give one member of a zip file, None where there is none. Declared and actual size are both bounded."""
    try:
        with zipfile.ZipFile(path) as archive:
            if name not in archive.namelist():
                return None
            info = archive.getinfo(name)
            most = max(info.compress_size * MAX_RATIO, FREE_BYTES) if limit is None else limit
            if info.file_size > most:
                raise _bomb(path, name, info.file_size)
            with archive.open(info) as member:
                data = member.read(most + 1)
    except FileNotFoundError:
        raise FileError("no such file", where=str(path), hint="check the name") from None
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
        raise damaged(path, error) from None
    if len(data) > most:
        raise _bomb(path, name, len(data))
    return data


def _bomb(path: Path, name: str, size: int) -> FileError:
    return FileError(
        f"{name} unpacks to {size:,} bytes, far more than the file holds", where=str(path), hint="save the model again"
    )


def damaged(path: Path | str, error: object = "") -> FileError:
    """Give the error for a file that is truncated, damaged or of another kind than its name says."""
    detail = str(error).splitlines()[0][:200] if str(error) else ""
    what = "damaged, truncated, or not the kind of file that its name says"
    return FileError(what + (f" ({detail})" if detail else ""), where=str(path), hint="save the model again")


def parse_json(data: bytes | str, where: str) -> dict[str, Any]:
    """Read a JSON object of bounded size and nesting; NaN is not JSON, infinity is what Keras writes for HGQ2."""
    if len(data) > MAX_TEXT:
        raise FileError(f"a configuration of over {MAX_TEXT >> 20} MB", where=where, hint="save the model again")
    try:
        value = json.loads(data, parse_constant=_refuse_constant)
    except RecursionError:
        raise _too_deep(where) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise FileError(f"not JSON ({str(error)[:200]})", where=where, hint="save the model again") from None
    check_depth(value, where)
    if not isinstance(value, dict):
        raise FileError(
            "not a model: the configuration is not an object", where=where, hint="save the model with to_json"
        )
    return value


def _refuse_constant(name: str) -> float:
    if name == "NaN":
        raise ValueError(f"{name} is not a number")
    return float(name)


def _too_deep(where: str) -> FileError:
    return FileError(f"nested over {MAX_DEPTH} levels deep", where=where, hint="this is not a configuration of Keras")


def check_depth(value: Any, where: str) -> None:
    """Raise FileError where lists and dictionaries are nested too deeply to walk."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for item in level
            if isinstance(item, (dict, list, tuple))
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, (dict, list, tuple))
        ]
        if not level:
            return
    raise _too_deep(where)


class Store:
    """An HDF5 file, read by path. Links, external and virtual data are refused; sizes are bounded."""

    def __init__(self, file: Any, where: str, size: int) -> None:
        self._file, self.where = file, where
        self._budget = max(size * MAX_RATIO, FREE_BYTES)

    def has(self, path: str) -> bool:
        """Whether there is a group or dataset of this path."""
        return self._find(path) is not None

    def names(self, path: str) -> list[str]:
        """The names inside a group; empty where there is no group."""
        group = self._find(path)
        with guarded(self.where):
            return [] if group is None or not hasattr(group, "keys") else [str(key) for key in group]

    def identity(self, path: str) -> Any:
        """Give what is equal for two paths that lead to one object."""
        import h5py

        with guarded(self.where):
            info = h5py.h5o.get_info(self._find(path).id)
            return info.fileno, info.addr

    def is_dataset(self, path: str) -> bool:
        """Whether the path leads to numbers."""
        data = self._find(path)
        with guarded(self.where):
            return hasattr(data, "shape")

    def attribute(self, path: str, name: str) -> Any:
        """Give an attribute of a group (strings decoded, arrays as lists), None where there is none."""
        group = self._find(path)
        with guarded(self.where):
            if group is None or name not in group.attrs:
                return None
            value = group.attrs[name]
            return _decode(value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value)

    def strings(self, path: str, name: str) -> list[str] | None:
        """Give a list of strings that Keras may have cut into ``name0``, ``name1``, ... ; None where there is none."""
        value = self.attribute(path, name)
        if value is None and self.attribute(path, f"{name}0") is not None:
            value, part = [], 0
            while (more := self.attribute(path, f"{name}{part}")) is not None:
                value, part = [*value, *(more if isinstance(more, list) else [more])], part + 1
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise damaged(self.where, f"{path}: {name} is not a list of names")
        return value

    def array(self, path: str) -> NDArray:
        """Give a dataset of numbers as float32 (integers stay)."""
        data = self._find(path)
        with guarded(self.where):
            if not hasattr(data, "shape"):
                raise damaged(self.where, f"no dataset {path}")
            if data.external or data.is_virtual:
                raise FileError(
                    f"{path} keeps its data in another file", where=self.where, hint="save the weights in one file"
                )
            short = data.dtype == "V2" and data.attrs.get("dtype") == "bfloat16"  # HDF5 has no such numbers
            if data.dtype.kind not in "fiub" and not short:
                raise FileError(
                    f"{path} holds {data.dtype}, not numbers", where=self.where, hint="save the weights again"
                )
            self._budget -= int(data.nbytes)
            if self._budget < 0:
                raise FileError(
                    f"{path} declares {data.nbytes:,} bytes, far more than the file holds",
                    where=self.where,
                    hint="save the weights again",
                )
            value = np.asarray(data[()])
        if short:
            return (value.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return value.astype(np.float32) if value.dtype.kind == "f" else value

    def _find(self, path: str) -> Any:
        """Walk to an object link by link; None where the path ends nowhere."""
        import h5py

        here = self._file
        with guarded(self.where):
            for part in path.split("/"):
                if part in ("", "."):
                    continue
                if not isinstance(here, h5py.Group) or (link := here.get(part, getlink=True)) is None:
                    return None
                if not isinstance(link, h5py.HardLink):
                    kind = "another file" if isinstance(link, h5py.ExternalLink) else "elsewhere"
                    what = f"{path} is a link to {kind}"
                    raise FileError(what, where=self.where, hint="save the weights again; links are not followed")
                here = here[part]
        return here


def _decode(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return [_decode(v) for v in value] if isinstance(value, list) else value


@contextmanager
def guarded(where: str) -> Iterator[None]:
    """Turn what h5py raises on damaged files into FileError."""
    try:
        yield
    except (
        OSError,
        RuntimeError,
        KeyError,
        ValueError,
        TypeError,
        MemoryError,
        OverflowError,
        AttributeError,
    ) as error:
        raise damaged(where, error) from None


@contextmanager
def open_store(source: Path | bytes, where: str) -> Iterator[Store]:
    """Open an HDF5 file, or one that is in memory."""
    import h5py

    size = len(source) if isinstance(source, bytes) else _size(source)
    with guarded(where):
        if not heaps_end(source):
            raise damaged(where, "a global heap that does not end")
        file = h5py.File(io.BytesIO(source) if isinstance(source, bytes) else source, "r")
    try:
        yield Store(file, where, size)
    finally:
        file.close()


def _size(path: Path) -> int:
    try:
        if not path.is_file():
            hint = "check the name" if not path.exists() else "give a file"
            raise FileError("no such file" if not path.exists() else "not a file", where=str(path), hint=hint)
        return path.stat().st_size
    except OSError as error:
        raise FileError(f"cannot read it ({error.strerror})", where=str(path), hint="check the name") from None


def plain(value: Any) -> Any:
    """Bring what get_config and Keras's JSON give (tuples, numpy, wrapped values) to what JSON has."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, Mapping):
        wrapped = _unwrap(value)
        return {str(k): plain(v) for k, v in value.items()} if wrapped is value else plain(wrapped)
    return value


def _unwrap(value: Mapping[Any, Any]) -> Any:
    inner = value.get("config")
    match value.get("class_name"):
        case "__tuple__" | "TensorShape" if isinstance(value.get("items"), (list, tuple)):
            return value["items"]
        case "__numpy__" | "__tensor__" if isinstance(inner, Mapping) and "value" in inner:
            return inner["value"]
    return value
