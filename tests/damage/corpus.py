"""Good files of every format that can be loaded, small ones, from the repository; by name, in one order.

``GATEWRIGHT_CORPUS`` names more folders.
"""

import io
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
LARGEST = 300_000
FORMATS = (".keras", ".h5", ".onnx", ".gw", ".tflite", ".pt2", ".json", ".directory")
MOST = 40
"""Files taken from one archive and format, evenly."""


@dataclass(frozen=True)
class Good:
    """One file. ``beside``: what else has to stand next to it (name -> content)."""

    name: str
    suffix: str
    data: bytes
    beside: tuple[tuple[str, bytes], ...] = ()


@cache
def corpus() -> dict[str, tuple[Good, ...]]:
    """Give the good files of each format; formats of which there are none are left out."""
    found: dict[str, list[Good]] = {suffix: [] for suffix in FORMATS}
    for good in (*_plain(), *_archived(), *_graphs(), *_described(), *_directories()):
        if len(good.data) <= LARGEST:
            found[good.suffix].append(good)
    return {k: tuple(sorted(v, key=lambda g: g.name)) for k, v in found.items() if v}


def _plain() -> Iterator[Good]:
    own = [Path(v) for v in os.environ.get("GATEWRIGHT_CORPUS", "").split(os.pathsep) if v]
    for folder in (ROOT / "examples", ROOT / "tests" / "data", *own):
        for path in sorted(folder.rglob("*")):
            if path.suffix in FORMATS and path.suffix != ".json" and path.is_file():
                yield Good(
                    str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path), path.suffix, path.read_bytes()
                )


def _archived() -> Iterator[Good]:
    """Models within the zip files of the recordings."""
    for path in sorted((ROOT / "tests" / "data").rglob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for suffix in FORMATS:
                names = sorted(n for n in archive.namelist() if n.endswith(suffix) and suffix != ".json")
                for name in names[:: max(1, len(names) // MOST)]:
                    yield Good(f"{path.relative_to(ROOT)}!{name}", suffix, archive.read(name))


def _graphs() -> Iterator[Good]:
    """Graphs of our own file format: drawn ones, of floats and of integers."""
    from gatewright.graph.file import archive, to_bytes

    from ..drawn import network
    from ..graph.drawn import Draw

    for seed in range(12):
        yield Good(f"float{seed}.gw", ".gw", archive(to_bytes(network(seed))))
        yield Good(f"integer{seed}.gw", ".gw", archive(to_bytes(Draw(seed).graph(8))))


def _described() -> Iterator[Good]:
    """A model's configuration as JSON, with its weights in a file of its own."""
    import json

    import h5py

    dense = {"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": "relu"}}
    conv = {"class_name": "Conv2D", "config": {"name": "c", "filters": 3, "kernel_size": [2, 2], "padding": "same"}}
    flat = {"class_name": "Flatten", "config": {"name": "f"}}
    first = {"class_name": "InputLayer", "config": {"name": "i", "batch_shape": [None, 4, 4, 2]}}
    model = {"class_name": "Sequential", "config": {"name": "s", "layers": [first, conv, flat, dense]}}
    buffer = io.BytesIO()
    rng = np.random.default_rng(0)
    with h5py.File(buffer, "w") as file:
        for name, shapes in (("conv2d", [(2, 2, 2, 3), (3,)]), ("dense", [(48, 2), (2,)])):
            for k, shape in enumerate(shapes):
                file[f"layers/{name}/vars/{k}"] = rng.normal(size=shape).astype(np.float32)
    yield Good("described.json", ".json", json.dumps(model).encode(), (("w.weights.h5", buffer.getvalue()),))


def _directories() -> Iterator[Good]:
    """An output directory, zipped: without a project, which is only compiled, never read as numbers, and without the
    page, which is made from the rest and may be made again.
    """
    from gatewright.compiling import compile_model
    from gatewright.graph.file import archive
    from gatewright.output import PAGE

    for name in ("digits_qkeras.h5", "jet_tagger.onnx"):
        project = compile_model(ROOT / "examples" / name, board="host", vectors=4)
        files = {n: content for n, content in project.files.items() if n != PAGE}
        yield Good(f"{name}.directory", ".directory", archive(files))
