"""Run every node case of onnx and write the table: ``python -m tests.conformance``."""

import sys

from .runner import CRASH, WRONG, collect, run
from .table import TABLE, render, totals

results = [run(case) for case in collect()]
TABLE.write_text(render(results))
sys.stdout.write(totals(results) + "\n")
sys.exit(any(r.status in (WRONG, CRASH) for r in results))
