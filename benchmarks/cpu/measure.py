"""One network on every engine, in this process: all warm, in alternating rounds.

With one thread the process is held on one core and its CPU time is taken, which neighbours on the machine disturb
least; with more it is wall time.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .engines import ENGINES, Engine, Skip
from .engines.base import Run

SETTLE = 0.05
"""Seconds between two engines' turns with several threads: those of onnxruntime spin on for a while after a run, which
made the engine that came next up to twice as slow.
"""
WARM = 0.02
"""Seconds that an engine runs before it is first timed."""


@dataclass
class Loaded:
    """An engine that is ready, and the seconds of one inference in each round."""

    engine: Engine
    path: Path
    run: Run
    count: int = 1
    """Inferences a round."""
    seconds: tuple[float, ...] = ()


def hold(threads: int) -> list[int]:
    """Stay on the last cores that the process may use, one for each thread; gives them."""
    if not hasattr(os, "sched_setaffinity"):
        return []
    cores = sorted(os.sched_getaffinity(0))[-threads:]
    os.sched_setaffinity(0, cores)
    return cores


def load(names: Sequence[str], files: Sequence[Path], threads: int) -> tuple[list[Loaded], dict[str, str]]:
    """The engines that can run the network, each with the first file that it can; and why others, or a file, cannot."""
    ready: list[Loaded] = []
    skipped: dict[str, str] = {}
    for name in names:
        try:
            for path in ENGINES[name]().readable(files):
                one = start(name, path, threads)
                if isinstance(one, Loaded):
                    ready.append(one)
                    break
                skipped[name] = one
        except Skip as why:
            skipped[name] = str(why)
        except ModuleNotFoundError as missing:
            skipped[name] = f"not installed: {missing.name}"
    return ready, skipped


def start(name: str, path: Path, threads: int) -> Loaded | str:
    """An engine that has run a file once, or what it said."""
    engine = ENGINES[name]()
    try:
        run = engine.load(path, threads)
        run()
    except (Skip, ModuleNotFoundError):
        raise
    except Exception as failure:  # an engine's own errors come in every class
        return f"{path.name}: {type(failure).__name__}: {failure}".strip().splitlines()[0]
    return Loaded(engine, path, run)


def timed(run: Run, count: int, clock: Callable[[], float]) -> float:
    """Seconds of one inference, over ``count``."""
    start = clock()
    for _ in repeat(None, count):
        run()
    return (clock() - start) / count


def warm(one: Loaded, slot: float, clock: Callable[[], float]) -> None:
    """Run until warm, and choose how many inferences fill a slot."""
    count, spent = 1, 0.0
    while spent < WARM:
        each = timed(one.run, count, clock)
        spent += each * count
        one.count = max(1, round(slot / max(each, 1e-9)))
        count = min(2 * count, one.count)


def rounds(ready: Sequence[Loaded], count: int, slot: float, threads: int) -> None:
    """Time every engine in each round, in the other order every second round."""
    clock = time.process_time if threads == 1 else time.perf_counter
    for one in ready:
        warm(one, slot, clock)
    for turn in range(count):
        for one in ready if turn % 2 == 0 else reversed(ready):
            if threads > 1:
                time.sleep(SETTLE)
            timed(one.run, 1 + one.count // 5, clock)
            one.seconds += (timed(one.run, one.count, clock),)


def differences(ready: Sequence[Loaded], step: Callable[[Path], float]) -> Iterator[dict[str, Any]]:
    """How far the outputs of engines on the same file are from the first peer's: in steps, or relative."""
    by_file: dict[Path, list[Loaded]] = {}
    for one in ready:
        by_file.setdefault(one.path, []).append(one)
    for path, same in by_file.items():
        outputs = {one.engine.name: one.engine.outputs() for one in same}
        names = sorted(outputs, key=lambda n: n in ("gatewright", "evaluate"))
        for name in names[1:]:
            told = difference(outputs[name], outputs[names[0]], step(path))
            yield {"file": path.name, "engine": name, "from": names[0], **told}


def difference(a: Sequence[NDArray[Any]], b: Sequence[NDArray[Any]], step: float) -> dict[str, Any]:
    """The largest difference: of integers in steps, of floats in steps of their scale, or to the largest output."""
    if [x.size for x in a] != [y.size for y in b]:
        return {"difference": float("inf"), "unit": "other shapes"}
    wide = [(x.astype(np.float64).ravel(), y.astype(np.float64).ravel()) for x, y in zip(a, b, strict=True)]
    most = max(float(np.abs(x - y).max()) for x, y in wide)
    if all(y.dtype.kind in "iu" for y in b):
        return {"difference": most, "unit": "steps"}
    if step:
        return {"difference": most / step, "unit": "steps"}
    return {"difference": most / max(float(np.abs(y).max()) for _, y in wide), "unit": "relative"}


def version(package: str) -> str:
    """The version of an installed package; empty for one that is run from its sources."""
    if not package:
        return ""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def measure(files: Sequence[Path], names: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that one row of the table is made of."""
    from .quantize import output_step

    threads = options["threads"]
    hold(threads)
    ready, skipped = load(names, files, threads)
    rounds(ready, options["rounds"], options["slot"], threads)
    return {
        "engines": {
            one.engine.name: {
                "file": one.path.name, "version": version(one.engine.package), "inferences": one.count,
                "median_us": float(np.median(one.seconds)) * 1e6, "min_us": min(one.seconds) * 1e6,
            }
            for one in ready
        },
        "skipped": skipped,
        "agreement": list(differences(ready, output_step)),
    }  # fmt: skip
