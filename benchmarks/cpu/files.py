"""Where the networks' files are, written where they are missing."""

import hashlib
import os
import sys
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
    folder = given / digest("build", "inputs", "networks", "quantize", "tflite")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def digest(*modules: str) -> str:
    """What tells versions of some modules of this package apart."""
    total = hashlib.sha256()
    for name in modules:
        total.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return total.hexdigest()[:8]


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


def pte_file(case: str, folder: Path) -> Path | None:
    """The ExecuTorch program of a float case; None for others, where its packages are not installed, and (told on
    stderr) where they fail.
    """
    path = folder / f"{case}-{digest('pte')}.pte"
    if path.exists() or not case.endswith("_fp32"):
        return path if path.exists() else None
    unfinished = path.with_suffix(f".{os.getpid()}")
    try:
        from .pte import convert

        convert(onnx_file(case, folder), unfinished)
    except ModuleNotFoundError:
        return None
    except Exception as failure:  # an exporter's own errors come in every class
        lines = str(failure).strip().splitlines() or [""]
        print(f"{case} is not exported for ExecuTorch: {type(failure).__name__}: {lines[0]}", file=sys.stderr)
        return None
    unfinished.rename(path)
    return path


def files_of(case: str, folder: Path, given: Path | None) -> list[Path]:
    """Every form of a case, what a given folder has of it (.onnx, .tflite, .pte) before what is made here."""
    found = [given / f"{case}{suffix}" for suffix in (".onnx", ".tflite", ".pte")] if given else []
    found = [path for path in found if path.exists()]
    made = (onnx_file(case, folder), tflite_file(case, folder), pte_file(case, folder))
    return [*found, *(path for path in made if path is not None)]
