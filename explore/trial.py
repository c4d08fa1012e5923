"""One trial: lower, estimate, run. Made to be sent to workers: it keeps the model of each worker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..boards import load as load_board
from ..graph import GatewrightError, Graph, NDArray, evaluate
from ..graph.file import from_bytes
from ..lowering import lower, make_config

SUBSET = 256
"""Samples on which a design is looked at before all of them are run."""
HOPELESS = 0.5
"""A share of the float model's accuracy below which the rest of the samples is not run."""


@dataclass(frozen=True)
class Task:
    """What all trials share: the model, samples by input name, labels; ``reference``: the float model's outputs."""

    key: str
    model: Mapping[str, bytes]
    samples: Mapping[str, NDArray]
    labels: NDArray | None
    reference: NDArray
    choices: Any


@dataclass(frozen=True)
class Outcome:
    """What a trial found: figures by objective; ``reason`` says why it was given up, "" where it was not."""

    values: dict[str, float] = field(default_factory=dict[str, float])
    reason: str = ""
    kind: str = "complete"


_GRAPHS: dict[str, Graph] = {}


def graph_of(task: Task) -> Graph:
    """Give the model, read once in each process."""
    if task.key not in _GRAPHS:
        _GRAPHS[task.key] = from_bytes(*task.model.values())
    return _GRAPHS[task.key]


def run_trial(
    task: Task, config: Mapping[str, Any], board: str, bar: "float | None", wants: tuple[str, ...]
) -> Outcome:
    """Evaluate one configuration: the cheap estimate first, then accuracy on a part, then on all samples.

    ``bar``: the float model's accuracy; ``wants``: the objectives. What cannot be built, or does not fit the device, is
    given up before anything is run. ``bar`` None: nothing is given up for its accuracy.
    """
    from ..simulation.cost import cost_of

    try:
        settings = make_config(None, config)
        target = load_board(board)
        graph = lower(graph_of(task), board=target, config=settings, samples=dict(task.samples))
        cost = cost_of(graph, task.choices.options(target, settings), target)
    except GatewrightError as error:
        return Outcome(reason=str(error).splitlines()[0], kind="infeasible")
    unbuildable = [f.what for f in cost.findings if f.kind == "limit"]
    if unbuildable:
        return Outcome(reason=unbuildable[0].splitlines()[0], kind="infeasible")
    values = figures(cost)
    over = [n for n, figure in cost.fitted.items() if cost.available and figure.value > cost.available[n]]
    if over:
        return Outcome(values, f"{', '.join(n.upper() for n in over)} over the device", "infeasible")
    if "accuracy" in wants or "error" in wants:
        part = _quality(task, graph, SUBSET)
        if bar is not None and part["accuracy"] < HOPELESS * bar:
            return Outcome({**values, **part}, f"{100 * part['accuracy']:.0f} % on the first samples", "pruned")
        values |= _quality(task, graph, None)
    return Outcome(values)


def figures(cost: Any) -> dict[str, float]:
    """Give the objectives of a cost: cycles, seconds, counts after logic synthesis."""
    period = cost.design.clock_ns * 1e-9
    found = {
        "latency": cost.timing.latency.value * period, "interval": cost.timing.interval.value * period,
        **{name: figure.value for name, figure in cost.fitted.items()},
    }  # fmt: skip
    return {name: float(value) for name, value in found.items()}


def _quality(task: Task, graph: Graph, count: int | None) -> dict[str, float]:
    x = {name: v[:count] for name, v in task.samples.items()}
    y = first_output(evaluate(graph, x))
    reference = task.reference[:count]
    result = {"error": float(np.sqrt(np.mean((y - reference) ** 2)))}
    if task.labels is not None:
        result["accuracy"] = accuracy(y, task.labels[:count])
    else:
        result["accuracy"] = accuracy(y, classes(reference))
    return result


def first_output(y: Any) -> NDArray:
    """Give the first output, a row a sample."""
    found = next(iter(y.values())) if isinstance(y, dict) else y[0] if isinstance(y, tuple) else y
    return np.asarray(found, np.float64).reshape(len(found), -1)


def classes(y: NDArray) -> NDArray:
    """Give the class of each row: the largest output; of a single output, its sign around one half."""
    return np.asarray(y.argmax(axis=1) if y.shape[1] > 1 else (y[:, 0] > 0.5).astype(np.int64))


def accuracy(y: NDArray, labels: NDArray) -> float:
    """Give the share of samples whose class is the label."""
    return float(np.mean(classes(y) == labels))


def read_labels(path: Path, count: int) -> NDArray:
    """Read labels (.npy): classes, or one row of scores a sample. Raises OptionError, FileError."""
    from ..graph import FileError, OptionError

    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise FileError(f"cannot read labels: {error}", where=str(path), hint="numpy.save(file, labels)") from None
    if found.dtype.kind not in "biuf":
        what = f"labels of type {found.dtype}"
        raise OptionError(what, where=str(path), hint="the numbers of the classes, or a row of scores a sample")
    if found.ndim == 2 and found.shape[1] > 1:
        found = found.argmax(axis=1)
    found = found.reshape(-1)
    if len(found) != count:
        raise OptionError(f"{len(found):,} labels for {count:,} samples", where=str(path))
    return np.asarray(found).astype(np.int64)


__all__ = [
    "Outcome", "Task", "accuracy", "classes", "figures", "first_output", "graph_of", "read_labels", "run_trial",
]  # fmt: skip
