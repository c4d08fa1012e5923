"""TFLite files: read without TensorFlow, with the arithmetic of TensorFlow's reference kernels."""

from pathlib import Path

from ...graph import Graph
from .importer import import_model
from .reader import read_model

__all__ = ["load_file"]


def load_file(path: Path) -> Graph:
    """Import a ``.tflite`` file. Raises FileError, UnsupportedError, ShapeError; ManyErrors for several problems."""
    model = read_model(path)
    return import_model(model, model.name if model.name not in ("", "main") else path.stem)
