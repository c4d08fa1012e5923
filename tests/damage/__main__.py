"""Damaged files from the command line: ``python -m tests.damage --count 10000 --seed 1``, in the repository."""

import argparse
import sys
from pathlib import Path

from ..fuzz.core import fuzzers
from ..fuzz.harness import Run, fuzz


def main() -> int:
    """Damage files of every format, the same number of each; 1 where something failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.damage", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="files in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", metavar="SUFFIX", help="keras, h5, onnx, ...")
    parser.add_argument("--out", type=Path, default=Path("build/damage"), help="where reproducers go")
    asked = parser.parse_args()
    chosen = [f for n, f in fuzzers().items() if n.startswith("damage-") and not f.missing]
    chosen = [f for f in chosen if asked.only is None or f.name.removeprefix("damage-") in asked.only]
    failed = 0
    for fuzzer in chosen:
        report = fuzz(fuzzer, Run(asked.seed, None, -(-asked.count // len(chosen)), asked.out, shrink_s=60.0))
        print(report, flush=True)
        failed += report.failed
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
