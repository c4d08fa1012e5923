"""Stored tensors: from protobuf messages to numpy arrays, with every length checked before anything is allocated."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ...graph import FileError, NDArray, UnsupportedError
from .registry import MAX_ELEMENTS


def read_tensor(tensor: Any, folder: Path | None, where: str) -> NDArray:
    """Give a ``TensorProto`` as an array. ``folder`` is where external data may lie; None for models in memory.

    Raises FileError where the message is damaged or its data are outside the folder, UnsupportedError for strings.
    """
    import onnx

    place = f"{where}: tensor {tensor.name!r}" if tensor.name else where
    dims = tuple(tensor.dims)
    if any(d < 0 for d in dims) or prod(dims) > MAX_ELEMENTS:
        raise FileError(
            f"its shape is {dims}",
            where=place,
            hint=f"a tensor has at most {MAX_ELEMENTS:,} elements; the file may be damaged",
        )
    if tensor.data_type == onnx.TensorProto.STRING:
        raise UnsupportedError("strings are not supported", where=place, hint="a network computes with numbers")
    if (
        tensor.data_type in (onnx.TensorProto.UNDEFINED, None)
        or tensor.data_type not in onnx.TensorProto.DataType.values()
    ):
        raise FileError(f"its element type is {tensor.data_type}", where=place, hint="the file is damaged")
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        tensor = _with_external(tensor, folder, place)
    try:
        array: NDArray = np.asarray(onnx.numpy_helper.to_array(tensor))
    except Exception as error:  # the helper raises many kinds for damaged messages
        raise FileError(
            f"its data do not fit shape {dims}: {error}", where=place, hint="the file is damaged"
        ) from error
    if array.shape != dims:
        raise FileError(f"its data do not fit shape {dims}", where=place, hint="the file is damaged")
    return array


def _with_external(tensor: Any, folder: Path | None, place: str) -> Any:
    """Read the bytes that a tensor keeps in a file of its own."""
    import onnx

    entries = {e.key: e.value for e in tensor.external_data}
    path = _inside(folder, entries.get("location", ""), place)
    try:
        offset, length = int(entries.get("offset") or 0), int(entries.get("length") or -1)
    except ValueError:
        raise FileError(
            "offset or length of its external data is not a number", where=place, hint="the file is damaged"
        ) from None
    bits = max(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize * 8, 1)
    wanted = prod(tensor.dims) * bits // 8
    if offset < 0 or length > wanted:
        raise FileError(
            f"external data of {length} bytes at {offset}, the shape needs {wanted}",
            where=place,
            hint="the file is damaged",
        )
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(length if length >= 0 else wanted)
    except OSError as error:
        raise FileError(
            f"cannot read {path.name}: {error.strerror}", where=place, hint="put it next to the model"
        ) from None
    whole = onnx.TensorProto()
    whole.CopyFrom(tensor)
    whole.ClearField("external_data")
    whole.data_location = onnx.TensorProto.DEFAULT
    whole.raw_data = data
    return whole


def _inside(folder: Path | None, location: str, place: str) -> Path:
    """Give the file of external data. Raises FileError where it is not inside the model's folder, links followed."""
    if folder is None:
        raise FileError(
            f"its data are in another file ({location!r}) and the model is an object in memory",
            where=place,
            hint="load the file by its name, or onnx.load(..., load_external_data=True)",
        )
    try:
        root = folder.resolve()
        path = (root / location).resolve()
        inside = bool(location) and path != root and path.is_relative_to(root)
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside:
        raise FileError(
            f"its data are outside the model's folder: {location!r}", where=place, hint="put them next to the model"
        )
    if not path.is_file():
        raise FileError(
            f"its data are in {location!r}, which is not there", where=place, hint="put the file next to the model"
        )
    return path


def read_sparse(sparse: Any, folder: Path | None, where: str) -> NDArray:
    """Give a ``SparseTensorProto`` as a dense array."""
    dims = tuple(sparse.dims)
    if any(d < 0 for d in dims) or prod(dims) > MAX_ELEMENTS:
        raise FileError(f"a sparse tensor of shape {dims}", where=where, hint="the file may be damaged")
    values = read_tensor(sparse.values, folder, where)
    indices = read_tensor(sparse.indices, folder, where)
    flat = indices if indices.ndim == 1 else _ravel(indices, dims, where)
    if flat.shape != values.shape or (flat.size and not (0 <= int(flat.min()) <= int(flat.max()) < prod(dims))):
        raise FileError("the indices of a sparse tensor do not fit its shape", where=where, hint="the file is damaged")
    dense = np.zeros(prod(dims), values.dtype)
    dense[flat] = values
    return dense.reshape(dims)


def _ravel(indices: NDArray, dims: tuple[int, ...], where: str) -> NDArray:
    if indices.ndim != 2 or indices.shape[1] != len(dims) or (indices < 0).any() or (indices >= np.array(dims)).any():
        raise FileError("the indices of a sparse tensor do not fit its shape", where=where, hint="the file is damaged")
    return np.asarray(np.ravel_multi_index(tuple(indices.T), dims))
