"""PyTorch models: programs of ``torch.export`` (``.pt2`` files and live), read without PyTorch and without pickles."""

from pathlib import Path
from typing import Any

from ...graph import Graph
from .archive import read
from .importer import import_program

__all__ = ["from_object", "load_file"]


def load_file(path: str | Path) -> Graph:
    """Import a ``.pt2`` file of ``torch.export.save``.

    Raises FileError for files that are missing or damaged, UnsupportedError for pickled modules (``.pt``, ``.pth``) and
    for what cannot be imported exactly, ShapeError; ManyErrors for several problems.
    """
    path = Path(path)
    return import_program(read(path, str(path)), source=str(path), name=path.stem)


def from_object(model: Any, inputs: Any = None) -> Graph:
    """Import an ``ExportedProgram``, or a module with example ``inputs`` (a tuple of tensors). Raises as above."""
    from .live import exported

    return exported(model, inputs)
