"""ONNX models of floating-point operators: files and live ``ModelProto`` objects, opset 7 to the newest of ``onnx``."""

from pathlib import Path
from typing import Any

from ...graph import Graph
from .importer import import_model
from .reader import check_object, read_file

__all__ = ["from_object", "load_file"]


def load_file(path: str | Path) -> Graph:
    """Import a ``.onnx`` file (with its external data, where these lie in the same folder).

    Raises FileError for files that are missing, damaged or unsafe, UnsupportedError and ShapeError (ManyErrors for
    several) for what cannot be imported exactly.
    """
    path = Path(path)
    return import_model(read_file(path), source=str(path), folder=path.parent, name=path.stem)


def from_object(model: Any) -> Graph:
    """Import an ``onnx.ModelProto`` whose tensors are all in memory. Raises as ``load_file`` does."""
    model = check_object(model)
    return import_model(model, source=model.graph.name or "onnx model", folder=None, name=model.graph.name or "model")
