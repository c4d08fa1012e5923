"""How fast a compiled project runs on this machine's graphics processor beside other engines.

    python -m benchmarks.gpu                               every network, CUDA
    python -m benchmarks.gpu --networks resnet8,vit_tiny   some; with _fp32 or _int8 behind the name, in one precision
    python -m benchmarks.gpu --board opencl-adreno-740     another language
    python -m benchmarks.gpu --products                    matrix products alone, beside torch._int_mm and torch.matmul
    python -m benchmarks.gpu --processors                  also on a CPU that a driver offers as a device (no figure of
                                                           a graphics processor: it shows that the benchmark runs)

All engines warm, in alternating rounds, batch 1, medians: ``call`` from host memory to host memory, ``device`` on what
lies on the device. Peers: onnxruntime-gpu (CUDA, TensorRT), torch. What is not installed is skipped and named. Without
a device nothing is measured, and the reason is told.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..cpu.__main__ import cases_of
from ..cpu.engines.base import Run, Skip
from ..cpu.files import cache, onnx_file
from .engines import Ready, onnxruntime, ours

PROVIDERS = ("CUDA", "Tensorrt")
SLOT = 0.02
"""Seconds of an engine's turn."""
PRODUCTS = ((64, 64, 64), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024), (197, 768, 192), (3136, 64, 64))
"""Rows, columns, steps."""


def opened(path: Path, board: str, *, processors: bool) -> tuple[list[Ready], dict[str, str]]:
    """The engines that can run a file, and why others cannot."""
    ready: list[Ready] = []
    skipped: dict[str, str] = {}
    makers: dict[str, Callable[[], Ready]] = {"gatewright": lambda: ours(path, board, processors=processors)}
    for provider in PROVIDERS:
        makers[f"onnxruntime {provider}"] = lambda provider=provider: onnxruntime(path, provider)  # type: ignore[misc]
    for name, make in makers.items():
        try:
            one = make()
            one.call()
            one.device()
            ready.append(one)
        except Skip as why:
            skipped[name] = str(why)
        except ModuleNotFoundError as missing:
            skipped[name] = f"not installed: {missing.name}"
        except Exception as failure:  # an engine's own errors come in every class
            skipped[name] = f"{type(failure).__name__}: {failure}".splitlines()[0]
    return ready, skipped


def medians(runs: Sequence[Run], rounds: int) -> list[float]:
    """Seconds of each, in alternating rounds."""
    counts = [max(1, round(SLOT / max(timed(run, 3), 1e-9))) for run in runs]
    found: list[list[float]] = [[] for _ in runs]
    for turn in range(rounds):
        for i in range(len(runs)) if turn % 2 == 0 else reversed(range(len(runs))):
            found[i].append(timed(runs[i], counts[i]))
    return [statistics.median(times) for times in found]


def timed(run: Run, count: int) -> float:
    """Seconds of one run, over ``count``."""
    start = time.perf_counter()
    for _ in range(count):
        run()
    return (time.perf_counter() - start) / count


def network(case: str, path: Path, board: str, rounds: int, *, processors: bool) -> dict[str, Any]:
    """Measure a network: microseconds by engine, and how far outputs are from ours."""
    ready, skipped = opened(path, board, processors=processors)
    calls = medians([one.call for one in ready], rounds)
    devices = medians([one.device for one in ready], rounds)
    outputs = [one.outputs() for one in ready]
    found = {
        one.name: {"call_us": call * 1e6, "device_us": device * 1e6, "difference": away(output, outputs[0])}
        for one, call, device, output in zip(ready, calls, devices, outputs, strict=True)
    }
    return {"case": case, "engines": found, "skipped": skipped}


def away(some: Sequence[Any], first: Sequence[Any]) -> float:
    """The largest difference, as a share of the largest output."""
    wide = [[np.asarray(x, np.float64).ravel() for x in outputs] for outputs in (some, first)]
    pairs = list(zip(*wide, strict=True))
    size = max(float(np.abs(b).max(initial=0.0)) for _, b in pairs) or 1.0
    return max(float(np.abs(a - b).max(initial=0.0)) for a, b in pairs) / size


def products(board: str, rounds: int, *, processors: bool) -> Iterator[dict[str, Any]]:
    """Measure matrix products of 8-bit integers: ours, and torch's on the same device."""
    from .products import product, torch_products

    for rows, columns, steps in PRODUCTS:
        runs: dict[str, Run] = {}
        skipped: dict[str, str] = {}
        try:
            one = product(rows, columns, steps, board, processors=processors)
            runs[one.name] = one.device
            runs |= torch_products(rows, columns, steps)
        except Skip as why:
            skipped["gatewright" if not runs else "torch"] = str(why)
        times = medians(list(runs.values()), rounds)
        found = {
            name: {"device_us": t * 1e6, "gmac_s": rows * columns * steps / t / 1e9}
            for name, t in zip(runs, times, strict=True)
        }
        yield {"case": f"{rows}x{columns}x{steps}", "engines": found, "skipped": skipped}


def lines(result: dict[str, Any]) -> Iterator[str]:
    """What is printed of a result."""
    for name, told in result["engines"].items():
        yield "  ".join(
            [f"{result['case']:<24}", f"{name:<48}", *(f"{key} {value:,.4g}" for key, value in told.items())]
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", help="as benchmarks.cpu; resnet8_int8,mobilenet_v2 ...")
    parser.add_argument("--board", default="cuda-h100")
    parser.add_argument("--products", action="store_true")
    parser.add_argument("--processors", action="store_true")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--cache", type=Path, metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE")
    chosen = parser.parse_args()
    options = {"processors": chosen.processors}
    if chosen.products:
        results = products(chosen.board, chosen.rounds, **options)
    else:
        folder = cache(chosen.cache)
        cases = cases_of(chosen.networks)
        results = (network(c, onnx_file(c, folder), chosen.board, chosen.rounds, **options) for c in cases)
    told = []
    for result in results:
        told.append(result)
        if "gatewright" in result["skipped"]:
            raise SystemExit(f"nothing is measured for {chosen.board}: {result['skipped']['gatewright']}")
        print("\n".join(lines(result)), flush=True)
        for name, why in result["skipped"].items():
            print(f"{result['case']:<24}  {name:<48}  skipped: {why}", flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
