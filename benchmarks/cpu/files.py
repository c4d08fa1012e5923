"""Where the networks' files are, written where they are missing."""

import hashlib
import os
from pathlib import Path

import onnx

from .networks import NETWORKS, build
from .quantize import quantize
from .tflite import convert

PRECISIONS = ("fp32", "int8")
CASES = tuple(f"{name}_{precision}" for name in NETWORKS for precision in PRECISIONS)
"""A network in one precision."""


def cache(given: Path | None = None) -> Path:
    """The folder of the files, one for each version of the code that writes them."""
    if given is None:
        base = os.environ.get("GATEWRIGHT_CACHE") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        given = Path(base).expanduser() / "gatewright" / "benchmarks"
    total = hashlib.sha256()
    for name in ("build", "inputs", "networks", "quantize", "tflite"):
        total.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    folder = given / total.hexdigest()[:8]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def onnx_file(case: str, folder: Path) -> Path:
    """The ONNX file of a case; an int8 one is made with onnxruntime."""
    path = folder / f"{case}.onnx"
    if path.exists():
        return path
    name, _, precision = case.rpartition("_")
    unfinished = path.with_suffix(f".{os.getpid()}")
    if precision == "int8":
        quantize(onnx_file(f"{name}_fp32", folder), unfinished)
    else:
        onnx.save(build(name), unfinished)
    unfinished.rename(path)
    return path


def tflite_file(case: str, folder: Path) -> Path | None:
    """The TensorFlow Lite form of a case's ONNX file; None for what has none, and where LiteRT is not installed."""
    path = folder / f"{case}.tflite"
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}")
        try:
            convert(onnx_file(case, folder), unfinished)
        except (KeyError, ModuleNotFoundError):
            return None
        unfinished.rename(path)
    return path


def files_of(case: str, folder: Path, given: Path | None) -> list[Path]:
    """Every form of a case, what a given folder has of it (.onnx, .tflite, .pte) before what is made here."""
    found = [given / f"{case}{suffix}" for suffix in (".onnx", ".tflite", ".pte")] if given else []
    found = [path for path in found if path.exists()]
    made = (onnx_file(case, folder), tflite_file(case, folder))
    return [*found, *(path for path in made if path is not None)]
