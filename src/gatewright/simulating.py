"""Simulate: run an output directory on a file of samples."""

from pathlib import Path
from typing import Any

import numpy as np

from .graph import Graph, NDArray, Node, OptionError, Outputs, evaluate, unknown
from .graph.evaluate import give
from .graph.ops import Output
from .microcontrollers import counted
from .project import Module, Progress, open_module
from .samples import check_writable, read_samples, write_arrays
from .simulation import make_vectors
from .targets import FIRMWARE, TARGETS


def simulate_directory(
    directory: Path,
    inputs: Path | None,
    outputs: Path | None,
    engine: str | None,
    progress: Progress,
    *,
    force: bool = False,
    integers: bool = False,
) -> dict[str, Any]:
    """Run an output directory's graph or artefact on a file of samples; write the outputs; give a summary of both.

    Without an ``engine`` firmware runs as it is, of all else the graph. With ``integers`` samples and outputs are
    stored integers, else real values.
    """
    if engine is not None and engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if outputs is not None:
        check_writable(outputs)
    module = open_module(directory, force=force)
    engine = engine or ("artefact" if module.manifest["target"] == FIRMWARE else "graph")
    _check_engine(module, engine, directory)
    graph = module.graph
    x = read_samples(inputs, graph, integers=integers) if inputs is not None else _random_inputs(graph, integers)
    progress(f"running the {engine}")
    y = evaluate(graph, x, integers=integers) if engine == "graph" else module.predict(x, integers=integers)
    arrays = _named(graph, y)
    if outputs is not None:
        write_arrays(outputs, arrays)
    device = {} if engine == "graph" or module.manifest["target"] != FIRMWARE else counted(module.simulation)
    return {
        **device,
        "engine": engine,
        "samples": len(next(iter(arrays.values()))),
        "inputs": "random" if inputs is None else inputs.name,
        "integers": integers,
        "outputs": {name: list(a.shape) for name, a in arrays.items()},
        "ranges": {name: [float(a.min()), float(a.max())] for name, a in arrays.items()},
        "file": None if outputs is None else str(outputs),
    }


ENGINES = ("graph", "artefact")


def _check_engine(module: Module, engine: str, directory: Path) -> None:
    from .backends.hls4ml.options import VERIFIABLE

    if engine == "artefact" and not module.artefact:
        raise OptionError("there is no artefact, only the integer graph", where=str(directory), hint="--engine graph")
    options = module.manifest["options"]
    hls = module.manifest["target"] not in TARGETS.values()
    if engine == "artefact" and hls and options.get("hls") not in VERIFIABLE:
        what = f"the C simulation of {options.get('hls')} cannot be compiled without the vendor's tools"
        raise OptionError(what, where=str(directory), hint="--engine graph, or compile with --hls vitis")


def _random_inputs(graph: Graph, integers: bool) -> dict[str, NDArray]:
    """Test vectors as real values, or stored integers, in the source's layout, by input name."""
    shown = Graph(
        graph.inputs,
        tuple(
            Node(Output(op.name, _inverse(op.axes)), (n,)) for n, op in zip(graph.inputs, graph.input_ops, strict=True)
        ),
    )
    return _named(shown, give(shown, make_vectors(graph, 16), integers=integers))


def _inverse(axes: tuple[int, ...] | None) -> tuple[int, ...] | None:
    return None if axes is None else tuple(int(i) for i in np.argsort(axes))


def _named(graph: Graph, y: Outputs) -> dict[str, NDArray]:
    if isinstance(y, dict):
        return y
    return dict(zip((op.name for op in graph.output_ops), y if isinstance(y, tuple) else (y,), strict=True))
