"""Cycles of microcontrollers: the model of ``simulation.mcu`` against public results of boards.

    python -m benchmarks.mcu_cycles --results mlperf_tiny.csv --models FOLDER [--mixes FILE] [--fit]

``--results``: the results of MLPerf Tiny as a table with the columns version, org, system, benchmark, latency_ms,
energy_uJ, freq, framework_or_compiler. ``--models``: the folder with its four int8 networks. ``--mixes`` keeps what was
counted, which takes minutes. ``--fit`` looks for the constants anew.

The tools of the results do not say which instructions they run, so boards are compared by ratios: what a tool's cycles
on one board are to its cycles on the NUCLEO-L4R5ZI, against what the model says for our own kernels on the two. The
constants are fitted to two boards; the others are held back.
"""

import argparse
import csv
import itertools
import json
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import gatewright as gw
from gatewright.backends.firmware.emulator import Emulator, Image, Mix
from gatewright.boards import Board, load
from gatewright.simulation.mcu import Timing, core_cycles, timing_of, wait_cycles

NETWORKS = {"ad": "ad01_int8", "kws": "dscnn_kws_int8", "ic": "resnet8_int8", "vww": "vww_96_int8"}
ANCHOR = "nucleo-l4r5zi"
FITTED = ("stm32f746-disco", "nucleo-u575zi-q")
HELD = (
    "nucleo-h7a3zi-q", "nucleo-u385rg-q", "b-u585i-iot02a", "nrf5340-dk", "cy8cproto-062-4343w", "numaker-m467hj",
)  # fmt: skip
SYSTEMS = {
    "NUCLEO-L4R5ZI": ANCHOR, "DISCO-F746NG": "stm32f746-disco", "NUCLEO-U575ZI": "nucleo-u575zi-q",
    "NUCLEO-H7A3ZI": "nucleo-h7a3zi-q", "NUCLEO-U385RG": "nucleo-u385rg-q", "B-U585I": "b-u585i-iot02a",
    "NRF5340": "nrf5340-dk", "CY8CPROTO-062-4343W": "cy8cproto-062-4343w", "NUMAKER-M467HJ": "numaker-m467hj",
}  # fmt: skip
"""What the systems of the results are called here."""
OTHERS = ("FLOAT", "MIN-RAM", "70MHZ", "60MHZ", "40MHZ")
"""Parts of names of systems whose results are of other networks, clocks or trade-offs."""
GRID = {
    "fetch": (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0), "read": (0.0, 0.25, 0.5, 0.75, 1.0),
    "cortex-m33": (0.9, 0.95, 1.0, 1.05, 1.1, 1.15), "cortex-m7": (0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15),
}  # fmt: skip
Results = Mapping[tuple[str, str, str], float]
"""Cycles by tool, board and network."""


@dataclass(frozen=True)
class Comparison:
    """Of a board and a network: the ratio to the anchor that the model gives, and those of the tools."""

    board: str
    network: str
    predicted: float
    measured: tuple[float, ...]

    @property
    def error(self) -> float:
        """Logarithm of predicted / median of the measured ratios."""
        return math.log(self.predicted / statistics.median(self.measured))


def results(path: Path) -> Results:
    """Read the table; a tool is an organisation with the version of its software."""
    found: dict[tuple[str, str, str], float] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            system = row["system"].upper().replace("_", "-")
            board = next((b for name, b in SYSTEMS.items() if name in system), None)
            if board is None or row["benchmark"] not in NETWORKS or not row["latency_ms"]:
                continue
            if any(word in system for word in OTHERS):
                continue
            clock = load(board).cores[0].clock_mhz
            assert clock is not None
            software = row["framework_or_compiler"] if row["org"] == "Krai" else ""
            tool = f"{row['org'].lower()} {row['version']} {software} {'fast' if 'MAX-PERF' in system else ''}".strip()
            tool = tool.replace("nuvoton", "onnc").replace("skymizer", "onnc").replace("octoml", "octoml microtvm")
            found.setdefault((tool, board, row["benchmark"]), float(row["latency_ms"]) * 1e3 * clock.value)
    return found


def count(models: Path, board: Board, network: str) -> Mix:
    """Compile a network for a board and give what its second run on the emulated core executes."""
    project = gw.compile(models / f"{NETWORKS[network]}.tflite", board=board.name, verify=False)
    image = next(data for name, data in project.files.items() if name.endswith(".elf"))
    name = next(n for n in project.files if n.endswith(".elf")).rpartition("/")[2].removesuffix(".elf")
    device = Emulator(Image.read(image), board=board, caches=True)
    device.call(f"{name}_run")
    device.clear()
    device.call(f"{name}_run")
    return device.counts().mix


def mixes(models: Path, kept: Path | None, boards: Iterable[str]) -> dict[tuple[str, str], Mix]:
    """Count every network on every board, or take what was kept."""
    known: dict[str, dict[str, int]] = json.loads(kept.read_text()) if kept is not None and kept.exists() else {}
    found = {}
    for board, network in itertools.product(boards, NETWORKS):
        key = f"{board} {network}"
        if key not in known:
            print(f"counting {key}", flush=True)
            known[key] = count(models, load(board), network).as_dict()
            if kept is not None:
                kept.write_text(json.dumps(known, indent=1))
        found[board, network] = Mix(**known[key])
    return found


def total(mix: Mix, board: Board, changes: Mapping[str, float]) -> float:
    """Give the model's cycles, with other constants where ``changes`` has them."""
    timing: Timing = timing_of(board)
    assert board.compiler is not None
    timing = replace(
        timing, fetch=changes.get("fetch", timing.fetch), read=changes.get("read", timing.read),
        factor=changes.get(board.compiler.cpu, timing.factor),
    )  # fmt: skip
    return core_cycles(mix, timing) + wait_cycles(mix, timing, board)


def compare(
    boards: Iterable[str], counted: Mapping[tuple[str, str], Mix], measured: Results, changes: Mapping[str, float]
) -> Iterator[Comparison]:
    """Compare the ratios of boards to the anchor."""
    tools = sorted({tool for tool, _, _ in measured})
    for board, network in itertools.product(boards, NETWORKS):
        pairs = [(measured.get((t, board, network)), measured.get((t, ANCHOR, network))) for t in tools]
        ratios = tuple(own / anchor for own, anchor in pairs if own and anchor)
        if ratios:
            own, anchor = (total(counted[b, network], load(b), changes) for b in (board, ANCHOR))
            yield Comparison(board, network, own / anchor, ratios)


def spread(found: Iterable[Comparison]) -> float:
    """Give the root of the mean square of the errors."""
    errors = [c.error for c in found]
    return math.sqrt(sum(e * e for e in errors) / len(errors))


def fit(counted: Mapping[tuple[str, str], Mix], measured: Results) -> dict[str, float]:
    """Find the constants with the smallest error on the boards that are fitted to."""
    options = [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]
    return min(options, key=lambda changes: spread(compare(FITTED, counted, measured, changes)))


def show(title: str, found: list[Comparison]) -> None:
    """Print the comparisons of a set of boards."""
    print(f"\n{title}: error {100 * spread(found):.0f} % (root of mean square)")
    print(f"{'board':22} {'network':8} {'predicted':>9} {'measured (median, range, tools)':>34}  error")
    for c in found:
        middle, low, high = statistics.median(c.measured), min(c.measured), max(c.measured)
        tools = f"{middle:.3f}  {low:.3f} to {high:.3f}  {len(c.measured):2}"
        print(f"{c.board:22} {c.network:8} {c.predicted:9.3f} {tools:>34}  {100 * (math.exp(c.error) - 1):+.0f} %")


def main() -> None:
    """Print the errors of the model, and the constants that fit best."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--mixes", type=Path)
    parser.add_argument("--fit", action="store_true")
    asked = parser.parse_args()
    measured = results(asked.results)
    counted = mixes(asked.models, asked.mixes, (ANCHOR, *FITTED, *HELD))
    changes = fit(counted, measured) if asked.fit else {}
    if changes:
        print("best constants:", ", ".join(f"{name} {value:g}" for name, value in changes.items()))
    show("Boards that the constants were fitted to", list(compare(FITTED, counted, measured, changes)))
    show("Boards that were held back", list(compare(HELD, counted, measured, changes)))


if __name__ == "__main__":
    main()
