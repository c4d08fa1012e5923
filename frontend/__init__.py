"""Importers: a trained network, from a file or a live object, becomes a float graph with the model's own quantizers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..graph import FileError, GatewrightError, Graph, ManyErrors, Pairs, UnsupportedError, with_states
from .attributes import Attributes

__all__ = ["Attributes", "load"]

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5", ".json")
TORCH_SUFFIXES = (".pt2", ".pt", ".pth", ".ckpt")
KINDS = "use .keras, .h5, .json, .onnx, .tflite, .pt2 or .gw"
CONVERT = "convert it to .tflite, .onnx or .keras"
ELSEWHERE = {
    ".pb": CONVERT, ".pbtxt": CONVERT, ".meta": CONVERT, ".tf": CONVERT, ".caffemodel": "convert it to .onnx",
    ".prototxt": "convert it to .onnx", ".mlmodel": "convert it to .onnx", ".mlpackage": "convert it to .onnx",
    ".pdmodel": "convert it to .onnx", ".safetensors": "it holds weights only; export the model to .pt2 or .onnx",
    ".pkl": "pickles run code, so none is read; save the model in its framework's own format",
    ".engine": "give the .onnx file that it was built from", ".ort": "give the .onnx file that it was made from",
}  # fmt: skip
"""What to try with the files of other frameworks."""


def load(
    model: Any, *, weights: str | Path | None = None, inputs: Any = None, states: Pairs | None = None
) -> Graph:
    """Import a model: the name of a file, or a live Keras, tf-keras, QKeras, ONNX or PyTorch object.

    Files: ``.keras``, ``.h5``, ``.json`` with ``weights=`` (a ``.h5`` file), ``.onnx``, ``.tflite``, ``.pt2``, and what
    ``Graph.save`` wrote. ``inputs``: example tensors for a live PyTorch module, a tuple in the order of its arguments.
    ``states``: inputs that are what an output was in the inference before, ``{"h_in": "h_out"}``, as ``with_states``
    takes them.
    Raises FileError for files that are missing, damaged or unsafe, UnsupportedError and ShapeError (ManyErrors for
    several) for what cannot be imported exactly.
    """
    graph = _loaded(model, weights, inputs)
    return with_states(graph, states) if states else graph


def _loaded(model: Any, weights: str | Path | None, inputs: Any) -> Graph:
    if isinstance(model, (str, Path)):
        if inputs is not None:
            raise UnsupportedError("inputs= goes with a live PyTorch module", hint="a file knows its inputs")
        try:
            return _load_file(Path(model), None if weights is None else Path(weights))
        except GatewrightError as error:
            raise _in_file(error, str(model)) from None
    if weights is not None:
        raise UnsupportedError("weights= goes with a .json file", hint="a live model has its own weights")
    return model if isinstance(model, Graph) else _load_object(model, inputs)


def _in_file(error: GatewrightError, file: str) -> GatewrightError:
    """Say which file an error is about, where only a layer or a weight was named."""
    if isinstance(error, ManyErrors):
        return ManyErrors(_in_file(one, file) for one in error.errors)
    suffixes = (*KERAS_SUFFIXES, *TORCH_SUFFIXES, ".onnx", ".tflite", ".gw")
    names_a_file = any(suffix in error.where.lower() for suffix in suffixes)
    if Path(file).name in error.where or names_a_file:
        return error
    return type(error)(error.what, where=f"{file}: {error.where}".rstrip(": "), hint=error.hint)


def _load_file(path: Path, weights: Path | None) -> Graph:
    suffix = path.suffix.lower()
    _check_there(path)
    is_graph = suffix == ".gw" or path.is_dir() or path.name == "graph.json"
    if suffix in KERAS_SUFFIXES and not is_graph:
        from . import keras

        return replace(keras.load_file(path, weights), source="keras")
    if weights is not None:
        raise UnsupportedError("weights= goes with a .json file", where=str(path), hint="leave it out")
    if is_graph:
        from ..graph.file import load as load_graph

        return load_graph(path.parent if path.name == "graph.json" else path)
    if suffix == ".onnx":
        from . import onnx

        return replace(onnx.load_file(path), source="onnx")
    if suffix == ".tflite":
        from . import tflite

        return replace(tflite.load_file(path), source="tflite")
    if suffix in TORCH_SUFFIXES:
        from . import torch

        return replace(torch.load_file(path), source="torch")
    what = f"{path.suffix or 'no suffix'} is not a kind of model file that can be read"
    raise FileError(what, where=str(path), hint=ELSEWHERE.get(suffix, KINDS))


def _check_there(path: Path) -> None:
    """Raise FileError where there is nothing of the name, or a directory of somebody else's."""
    try:
        path.stat()
    except OSError as error:
        if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise FileError(f"cannot be read: {error.strerror}", where=str(path), hint="check the name") from None
        hint = "check the name; a model is .keras, .h5, .json, .onnx, .tflite, .pt2 or .gw"
        raise FileError("no such file", where=str(path), hint=hint) from None
    except ValueError as error:
        raise FileError(f"is not the name of a file: {error}", where=str(path), hint="check the name") from None
    if path.is_dir() and not (path / "graph.json").is_file():
        saved = any((path / name).is_file() for name in ("saved_model.pb", "keras_metadata.pb"))
        what = "a TensorFlow SavedModel" if saved else "a directory that Gatewright did not write"
        hint = "convert it to .tflite or .onnx, or save the model as .keras" if saved else "give the model's file"
        raise FileError(what, where=str(path), hint=hint)


def _load_object(model: Any, inputs: Any) -> Graph:
    """Dispatch on the module that defines the object's class or one of its bases; nothing is imported to find out."""
    packages = {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    if "torch" in packages:
        from . import torch

        return replace(torch.from_object(model, inputs), source="torch")
    if inputs is not None:
        raise UnsupportedError("inputs= goes with a live PyTorch module", hint="leave it out")
    if packages & {"keras", "tf_keras", "qkeras"}:
        from . import keras

        return replace(keras.from_object(model), source="keras")
    if "onnx" in packages:
        from . import onnx

        return replace(onnx.from_object(model), source="onnx")
    raise UnsupportedError(
        f"cannot import an object of type {type(model).__module__}.{type(model).__name__}",
        hint="pass a file name, or a Keras, tf-keras, QKeras, HGQ, ONNX or PyTorch model",
    )
