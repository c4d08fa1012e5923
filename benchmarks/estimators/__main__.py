"""How good the estimates are, by reports of designs that Gatewright did not make.

    python -m benchmarks.estimators [--data DIR]       cross-validation by repository: fitted without, judged on it
    python -m benchmarks.estimators --score DIR        the shipped constants, judged on other reports

Each line: what is judged, on how many designs, ours, and beside it the naive rule (one multiplier, one DSP block; a
multiplier of b by b bits in b^2 look-up tables; cycles by the reuse factor alone).
"""

import argparse
import os
import time
from pathlib import Path

from . import quality
from .fit import band_table, fit_costs, held_out, made_of, usable
from .records import Record, read


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.estimators", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="reports to fit and to judge on, else GATEWRIGHT_HLS_REPORTS")
    parser.add_argument("--score", type=Path, help="reports that were not fitted")
    asked = parser.parse_args()
    folder: Path = asked.score or asked.data or Path(os.environ.get("GATEWRIGHT_HLS_REPORTS", "no-reports"))
    if not folder.is_dir():
        raise SystemExit(f"no directory of reports at {folder}: give one with --data")
    begin = time.perf_counter()
    every = read(folder)
    unread = sum(r.kind == "unread" for r in every)
    print(
        f"{len(every) - unread:,} records of {len({r.repo for r in every} - {''})} repositories in {folder.name}; "
        f"{unread} could not be read"
    )
    if asked.score:
        _score(every)
    else:
        _cross_validate(every)
    print(f"{time.perf_counter() - begin:.1f} s")


def _cross_validate(every: list[Record]) -> None:
    records = usable(every)
    made = {r.id: made_of(r) for r in records}
    estimates = held_out(records, made)
    assert fit_costs(records, made)
    quality.show(quality.cycles(every), "cycles (the schedule's constants are few: no refit)")
    quality.show(
        quality.counts(records, estimates),
        "resources, HLS report, each repository estimated by the others (the sweep, one repository, by other n_in)",
    )
    quality.show(
        quality.coverage(records, estimates, band_table(records, estimates)), "bands, fitted without the repository"
    )
    quality.show(quality.jets(every, leave_one_out=True), "distributed arithmetic, placed and routed, one left out")


def _score(every: list[Record]) -> None:
    quality.show(quality.cycles(every), "cycles")
    quality.show(quality.shipped_counts(usable(every)), "resources by the shipped constants")
    quality.show(quality.jets(every, leave_one_out=False), "distributed arithmetic, placed and routed")


if __name__ == "__main__":
    main()
