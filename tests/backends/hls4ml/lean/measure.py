"""Compile time and speed of the lean types against the vendor's: ``python tests/backends/hls4ml/lean/measure.py``.

Both are compiled with g++ -O1 and run in turn, `ROUNDS` times; the least CPU time and the highest speed of each count,
so that what else the machine does matters little. Absolute figures are of this machine: the ratios are what to quote.
"""

from __future__ import annotations

import importlib.util
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROUNDS = 3
HERE = Path(__file__).parent
LEAN = HERE.parents[3] / "backends" / "hls4ml" / "include"
ONE_USE = '#include "ap_fixed.h"\nint f(double d) { ap_fixed<16, 6> x = d; x += x * x; return x > 0.5; }\n'


def cpu_seconds(command: list[str]) -> tuple[float, str]:
    """The CPU time of a command, its children included, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def measure(folder: Path, templates: Path) -> dict[str, dict[str, float]]:
    """{figure: {"vendor": value, "lean": value}}; SystemExit where the two compute different outputs."""
    utilities = folder / "nnet_utils"
    for backend in ("vivado", "vitis"):
        shutil.copytree(templates / backend / "nnet_utils", utilities, dirs_exist_ok=True)
    (folder / "one.cpp").write_text(ONE_USE)
    sources = {"ap_fixed.h alone": [folder / "one.cpp", "-c"], "two networks": [HERE / "speed.cpp", f"-I{utilities}"]}
    headers = {"vendor": templates / "vivado" / "ap_types", "lean": LEAN}
    figures: dict[str, dict[str, float]] = {}
    outputs: dict[str, set[str]] = {}

    def keep(name: str, types: str, value: float, best: Callable[[float, float], float]) -> None:
        row = figures.setdefault(name, {})
        row[types] = best(row.get(types, value), value)

    for _ in range(ROUNDS):
        for types, include in headers.items():
            for name, arguments in sources.items():
                command = ["g++", "-std=c++17", "-O1", "-w", f"-I{include}", *map(str, arguments)]
                seconds, _ = cpu_seconds([*command, "-o", str(folder / types)])
                keep(f"compile {name}, CPU s", types, seconds, min)
        for types in headers:
            for line in cpu_seconds([str(folder / types)])[1].splitlines():
                name, speed, checksum = line.split()
                keep(f"{name}, inferences/s", types, float(speed), max)
                outputs.setdefault(name, set()).add(checksum)
    if any(len(checksums) != 1 for checksums in outputs.values()):
        raise SystemExit(f"the outputs differ: {outputs}")
    return figures


def main() -> None:
    spec = importlib.util.find_spec("hls4ml")
    assert spec is not None
    assert spec.submodule_search_locations
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), Path(spec.submodule_search_locations[0]) / "templates")
    for name, row in figures.items():
        ratio = max(row.values()) / min(row.values())
        sys.stdout.write(f"{name}: vendor {row['vendor']:.2f}, lean {row['lean']:.2f}, ratio {ratio:.1f}\n")


if __name__ == "__main__":
    main()
