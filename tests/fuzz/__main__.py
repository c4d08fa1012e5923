"""Fuzz from the command line: ``python -m tests.fuzz --minutes 10 --seed 1 [--only NAME ...]``, in the repository."""

import argparse
import json
import os
import sys
from pathlib import Path

import gatewright  # noqa: F401 - the package under test must be importable before anything else is done

from .core import fuzzers
from .harness import FAILURES, Report, Run, Worker, fuzz


def arguments() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, help="for all chosen fuzzers together")
    parser.add_argument("--cases", type=int, help="recipes for each fuzzer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="fuzzers to run; all that can if not given")
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"), help="where reproducers go")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE", help="run reproducers again")
    parser.add_argument("--list", action="store_true", help="name the fuzzers")
    return parser.parse_args()


def replay(files: list[Path]) -> bool:
    """Run reproducers again; say whether any still fails."""
    failed = False
    for file in files:
        document = json.loads(file.read_text())
        fuzzer = fuzzers()[document["fuzzer"]]
        worker = Worker(fuzzer)
        found = worker.ask(document["recipe"])
        worker.close()
        print(f"{file}: {found['status']}\n{fuzzer.tell(document['recipe'])}\n{found.get('text', '')}")
        failed |= found["status"] in FAILURES
    return failed


def main() -> int:
    """Run what was asked for; 1 where something failed."""
    asked = arguments()
    known = fuzzers()
    if asked.list:
        print("\n".join(f"{n:16s} {'needs ' + ', '.join(f.missing) if f.missing else ''}" for n, f in known.items()))
        return 0
    if asked.replay:
        return int(replay(asked.replay))
    if unknown := set(asked.only or ()) - set(known):
        sys.exit(f"no fuzzer called {', '.join(unknown)}; there are {', '.join(known)}")
    chosen = [f for n, f in known.items() if asked.only is None or n in asked.only]
    running = [f for f in chosen if not f.missing] or chosen
    if asked.minutes is None and asked.cases is None:
        asked.cases = 20
    seconds = None if asked.minutes is None else asked.minutes * 60 / len(running)
    reports: list[Report] = []
    for fuzzer in chosen:
        run = Run(asked.seed, seconds, asked.cases, asked.out, say=lambda text: print(text, flush=True))
        reports.append(fuzz(fuzzer, run))
        print(reports[-1], flush=True)
    return int(any(r.failed for r in reports))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    sys.exit(main())
