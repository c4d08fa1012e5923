"""Compare two models, graphs, output directories or engines, tensor by tensor, and name the first that differs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .frontend import load
from .graph import FileError, Fixed, GatewrightError, Graph, Inputs, NDArray, Node, OptionError
from .graph.evaluate import feed
from .graph.file import archive, npy, to_bytes
from .graph.ops import Input, Quantize
from .lowering import like
from .output import MANIFEST
from .simulation.diff import Difference, Traced, compare, compare_engine, reproducer

if TYPE_CHECKING:
    from .project import Module, Project

ENGINES = ("graph", "artefact")
SAMPLES = 32
MOST_NUMBERS = 30_000_000
"""Samples are fewer where all tensors of a graph together would hold more numbers than this."""


@dataclass(frozen=True)
class Subject:
    """One of the two: its graph, and what runs it if that is not the graph itself."""

    name: str
    graph: Graph
    artefact: "Module | Project | None" = None


def diff(
    a: Any,
    b: Any,
    x: Inputs | None = None,
    *,
    engine: str = "graph",
    samples: int = SAMPLES,
    seed: int = 0,
) -> Difference:
    """Compare ``b`` with ``a``, tensor by tensor.

    Each is a model's file name, a live model, a Graph (of floats or integers), an output directory (its graph; with
    ``engine="artefact"`` also its compiled C simulation), or what ``gatewright.open`` or ``compile`` gave (its compiled
    artefact). ``x``: samples for ``a``, batch first, in the layout of its source model; where None, ``samples`` random
    ones from ``seed``.

    Two graphs of integers must agree in every bit. Against floating point, a tensor differs where what its operations
    introduce, fed with ``a``'s values, is beyond what rounding to its formats explains. Raises GatewrightError for what
    cannot be loaded, run or compared.
    """
    if engine not in ENGINES:
        raise OptionError(f"engine {engine!r}", hint="graph or artefact")
    left, right = (subject(v, engine) for v in (a, b))
    fed = fed_inputs(left.graph, right.graph, x, samples, seed)
    found = _graphs(left.graph, right.graph, fed)
    for one in (left, right):
        if one.artefact is not None:
            found = _joined(found, _artefact(one, _own_inputs(left.graph, one.graph, fed)))
    return replace(found, names=(left.name, right.name), samples=len(fed[0]))


def subject(model: Any, engine: str) -> Subject:
    """Find out what was given."""
    from .project import Module, Project, open_module

    if isinstance(model, (Module, Project)):
        return Subject(type(model).__name__.lower(), model.graph, model if model.artefact else None)
    if isinstance(model, (str, Path)):
        path = Path(model)
        if engine == "artefact" and (path / MANIFEST).is_file():
            module = open_module(path)
            return Subject(str(model), module.graph, module if module.artefact else None)
        return Subject(str(model), load(model))
    return Subject(getattr(model, "name", type(model).__name__), load(model))


def _graphs(a: Graph, b: Graph, fed: Sequence[NDArray]) -> Difference:
    a, b = like(a, b), like(b, a)
    return Difference((), samples=len(fed[0])) if a is b or to_bytes(a) == to_bytes(b) else compare(a, b, fed)


def _own_inputs(a: Graph, b: Graph, fed: Sequence[NDArray]) -> list[NDArray]:
    from .simulation.diff.sides import feed_both

    return feed_both(a, b, fed)


def _artefact(one: Subject, fed: Sequence[NDArray]) -> Difference:
    """Compare what the compiled artefact of a project gives with its graph."""
    assert one.artefact is not None
    if "network.json" in one.artefact.artefact:
        return _library(one, fed)
    from .backends.hls4ml import Simulation
    from .backends.hls4ml.kernel import from_carried

    if not one.graph.is_integer:
        raise OptionError("the graph of an artefact is one of integers", where=one.name)
    simulation = Simulation(one.graph, one.artefact.artefact)
    outputs, traced = simulation.trace(fed)
    nodes: dict[Node, NDArray] = dict(zip(one.graph.outputs, outputs, strict=True))
    for port, values in traced:
        if port.node >= 0:
            node = one.graph.nodes[port.node]
            nodes[node] = from_carried(node.type, values.reshape(len(values), *node.shape))
    return compare_engine(one.graph, Traced(one.graph, nodes), fed)


def _library(one: Subject, fed: Sequence[NDArray]) -> Difference:
    """Compare what a library, firmware or kernels give with their graph: the outputs, as nothing else is shown."""
    from .targets import back_end

    assert one.artefact is not None
    target = one.artefact.manifest["target"]
    outputs = back_end(target).Simulation(one.graph, one.artefact.artefact).run(fed)
    nodes: dict[Node, NDArray] = dict(zip(one.graph.outputs, outputs, strict=True))
    return compare_engine(one.graph, Traced(one.graph, nodes), fed)


def _joined(graphs: Difference, artefact: Difference) -> Difference:
    """Put the tensors of an artefact behind those of the graphs."""
    marked = tuple(replace(t, name=f"{t.name} (artefact)") for t in artefact.tensors)
    return replace(graphs, tensors=(*graphs.tensors, *marked))


def fed_inputs(a: Graph, b: Graph, x: Inputs | None, samples: int, seed: int) -> list[NDArray]:
    """Give stored numbers for the inputs of ``a``: what was given, or random ones that suit both graphs."""
    if not 1 <= samples <= 1_000_000:
        raise OptionError(f"samples = {samples}", hint="1 to 1,000,000")
    count = max(1, min(samples, MOST_NUMBERS // max(1, sum(n.type.size for n in (*a.nodes, *b.nodes)))))
    if x is not None:
        return [v[:count] for v in feed(a, x)]
    rng = np.random.default_rng(seed)
    others = {op.name: n for op, n in zip(b.input_ops, b.inputs, strict=True)}
    drawn = []
    for i, node in enumerate(a.inputs):
        assert isinstance(node.op, Input)
        other = others.get(node.op.name, b.inputs[min(i, len(b.inputs) - 1)])
        drawn.append(_drawn(node, (_reach(a, node), _reach(b, other)), count, rng))
    return drawn


def _reach(graph: Graph, node: Node) -> tuple[float, float]:
    """The values that an input can have, or that its quantizer keeps."""
    ends = [node.type.real_range, *(u.type.real_range for u in graph.users[node] if isinstance(u.op, Quantize))]
    known = [e for e in ends if e is not None]
    return known[0] if known else (-4.0, 4.0)


def _drawn(node: Node, reach: Sequence[tuple[float, float]], count: int, rng: np.random.Generator) -> NDArray:
    """Draw an input: normal, within what both sides can hold, on a grid of 1/256 where that is fine enough."""
    low, high = max(r[0] for r in reach), min(r[1] for r in reach)
    if node.type.is_integer and not isinstance(node.type.format, Fixed):
        least, greatest = (np.broadcast_to(v, node.shape) for v in node.type.quantized.bounds)
        return rng.integers(least, greatest, (count, *node.shape), endpoint=True)
    width = min((high - low) / 4, 1.0)
    values = np.clip(rng.normal((low + high) / 2 if high - low < 8 else 0.0, width, (count, *node.shape)), low, high)
    if width > 0.05:
        values = np.round(values * 256) / 256
    if not node.type.is_integer:
        return values.astype(np.float32)
    from .graph import Overflow, Rounding
    from .graph.numerics import quantize

    return quantize(values, node.type.quantized, Rounding.RND, Overflow.SAT)


def diff_files(
    a: str, b: str, inputs: Path | None, bisect: Path | None, engine: str, samples: int, seed: int
) -> tuple[Difference, dict[str, Any], Callable[[], None]]:
    """Compare for the command line: gives what was found, as a document, and as what people read."""
    if bisect is not None:
        _check_script(bisect)
    x = None
    if inputs is not None:
        from .samples import read_samples

        x = read_samples(inputs, load(a))
    found = diff(a, b, x, engine=engine, samples=samples, seed=seed)
    written = write_reproducer(found, bisect) if bisect is not None and found else []

    def people() -> None:
        from .comparison_report import render
        from .report import NARROW, show, width

        show(render(found, written, narrow=width() < NARROW))

    return found, {**found.as_dict(), "files": [str(f) for f in written]}, people


def write_reproducer(found: Difference, path: Path) -> list[Path]:
    """Write the script that shows the first difference, and its data beside it. Raises FileError, OptionError."""
    first = found.first
    if first is None:
        raise OptionError("nothing differs, so there is nothing to reproduce")
    if first.sides is None:
        raise OptionError(f"{first.name} differs only in the artefact", hint="gatewright simulate runs it again")
    _check_script(path)
    data = path.with_suffix(".npz")
    script, arrays = reproducer(first, data.name)
    try:
        data.write_bytes(archive({f"{k}.npy": npy(v) for k, v in arrays.items()}))
        path.write_text(script, encoding="utf-8")
    except OSError as error:
        raise FileError(f"cannot write: {error.strerror}", where=str(error.filename or path)) from None
    return [path, data]


def _check_script(path: Path) -> None:
    """Raise where a script could not be written: before any work is done."""
    if path.suffix != ".py":
        raise OptionError(f"--bisect {path}", hint="name a .py file")
    if not path.parent.is_dir():
        raise FileError(f"there is no directory {path.parent}", where=str(path), hint="--bisect names a .py file")


__all__ = ["Difference", "GatewrightError", "diff", "subject", "write_reproducer"]
