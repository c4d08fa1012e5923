"""How fast a compiled module runs on this machine's CPU beside other engines.

    python -m benchmarks.cpu                               every network, one thread
    python -m benchmarks.cpu --networks resnet8,vit_tiny   some; with _fp32 or _int8 behind the name, in one precision
    python -m benchmarks.cpu --threads 2 --json times.json
    python -m benchmarks.cpu --files DIR                   NAME_int8.tflite, NAME_fp32.tflite, NAME_int8.pte ... in DIR
    python -m benchmarks.cpu --engines gatewright,tvm      also engines that are slow: tvm, evaluate

Each network runs in a process of its own: all engines warm, in alternating rounds, batch 1; the median over the rounds
and the least, and how far the outputs are apart. With one thread the process stays on one core and its CPU time is
told, with more it is wall time.

The peers are in the extra `peers`: LiteRT, onnxruntime, which also makes the int8 files, OpenVINO and TVM. ExecuTorch
(`pip install executorch torch`) is optional: float networks are exported for its XNNPACK delegate, and .pte files of
the folder given are run. It has no int8 form of these networks: PyTorch's quantizers choose integers of their own,
which are not those of the file. What is not installed is skipped. Files of MLPerf Tiny's reference have the names that
are looked for: LiteRT and Gatewright read those where they are given; else both read files of the same weights, .tflite
and .onnx.

Files are kept in the user's cache directory: --cache DIR, GATEWRIGHT_CACHE, XDG_CACHE_HOME.
"""

import argparse
import difflib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .engines import DEFAULT, ENGINES
from .files import CASES, cache, files_of
from .measure import measure
from .table import agreement, header, row, skips

LIMIT = 1800
"""Seconds after which a network is given up."""


def cases_of(text: str | None) -> list[str]:
    """Cases by name, of networks in both precisions."""
    if not text:
        return list(CASES)
    found: list[str] = []
    for name in text.split(","):
        some = [c for c in CASES if name in (c, c.rpartition("_")[0])]
        if not some:
            near = difflib.get_close_matches(name, CASES, 1)
            raise SystemExit(f"no network called {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        found += some
    return found


def engines_of(text: str | None) -> list[str]:
    """Engines by name, in the table's order."""
    asked = text.split(",") if text else list(DEFAULT)
    for name in asked:
        if name not in ENGINES:
            raise SystemExit(f"no engine called {name!r}; there are {', '.join(ENGINES)}")
    return [name for name in ENGINES if name in asked]


def cpu() -> str:
    """The processor's name."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    found = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    name = found.get("model name") or platform.processor() or platform.machine()
    flags = found.get("flags", "").split()
    level = [f for f in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8") if f in flags]
    return f"{name} ({', '.join(level)})" if level else name


def in_child(case: str, files: Sequence[Path], engines: Sequence[str], options: dict[str, Any]) -> dict[str, Any]:
    """Measure a network in a process of its own; what the engines print is dropped."""
    threads = str(options["threads"])
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "TVM_NUM_THREADS": threads}
    task = json.dumps([[str(f) for f in files], engines, options])
    try:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.cpu", "--row", task], capture_output=True, text=True, env=environment,
            timeout=LIMIT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"engines": {}, "failed": f"not done after {LIMIT} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return {"engines": {}, "failed": f"the process ended with {done.returncode}: {last}"}
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", "--models", help=", ".join(dict.fromkeys(c.rpartition("_")[0] for c in CASES)))
    parser.add_argument("--engines", help=", ".join(ENGINES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--slot", type=float, default=20, help="milliseconds of an engine's turn (20)")
    parser.add_argument("--files", type=Path, metavar="DIR", help="where other forms of the networks are")
    parser.add_argument("--cache", type=Path, metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.row:
        files, engines, options = json.loads(chosen.row)
        print(json.dumps(measure([Path(f) for f in files], engines, options)))
        return
    options = {"threads": chosen.threads, "rounds": chosen.rounds, "slot": chosen.slot / 1000}
    results = show(cases_of(chosen.networks), engines_of(chosen.engines), options, cache(chosen.cache), chosen.files)
    if chosen.json:
        chosen.json.write_text(json.dumps({"cpu": cpu(), **options, "networks": results}, indent=1) + "\n")


def show(
    cases: Sequence[str], engines: Sequence[str], options: dict[str, Any], folder: Path, given: Path | None
) -> dict[str, dict[str, Any]]:
    """Measure the cases one by one, and print each as it is done."""
    print(f"{cpu()}, threads: {options['threads']}, rounds: {options['rounds']}\n\n{header(engines)}")
    results: dict[str, dict[str, Any]] = {}
    for case in cases:
        try:
            files = files_of(case, folder, given)
            results[case] = in_child(case, files, engines, options)
        except ModuleNotFoundError as missing:
            results[case] = {"engines": {}, "failed": f"its file cannot be made without {missing.name}"}
        for line in row(case, engines, results[case]) if results[case]["engines"] else ():
            print(line, flush=True)
        if "failed" in results[case]:
            print(f"{case:<26} {results[case]['failed']}", flush=True)
    for title, lines in (
        ("\nagreement", [line for case, result in results.items() for line in agreement(case, result)]),
        ("\nskipped", list(skips(results))),
    ):
        print("\n".join([title, *lines] if lines else []))
    return results


if __name__ == "__main__":
    main()
