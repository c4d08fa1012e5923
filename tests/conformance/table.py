"""The table of results, as docs/onnx-conformance.md has it."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import onnx

from .runner import CRASH, INAPPLICABLE, PASS, REFUSED, WRONG, Result

TABLE = Path(__file__).parents[2] / "docs" / "onnx-conformance.md"

HEAD = """# ONNX conformance

Every node case of `onnx.backend.test` of onnx {version}, written by `python -m tests.conformance`.

- **pass**: the model as it stands gives what the case expects: whole numbers and truth values exactly, real numbers
  within the case's own tolerance (results of float16, bfloat16 and shorter types within what their own arithmetic
  loses: Gatewright computes in float32).
- **pass, stored**: so does the model with the inputs that are named stored as constants, which is what a file has as
  weights, shapes and axes.
- **refused**: the import, or the computation, ends with a typed error that names the operator.
- **not applicable**: training, random numbers, strings, sequences and optional values, complex numbers, tensors
  without elements, domains other than ONNX's own.

"No batch" marks models that are imported with the whole of each input as a sample ([onnx](onnx.md)).

"""


def totals(results: Sequence[Result]) -> str:
    """Give the counts, one line."""
    counts = Counter(kind(r) for r in results)
    wrong = counts[WRONG] + counts[CRASH]
    return (
        f"{len(results)} cases: {counts[PASS] + counts[STORED]} pass ({counts[STORED]} of them with stored inputs), "
        f"{counts[REFUSED]} refused, {counts[INAPPLICABLE]} not applicable, {wrong} wrong or crashed."
    )


STORED = "pass, stored"


def kind(result: Result) -> str:
    """Name the outcome as the table does."""
    return STORED if result.status == PASS and result.stored else result.status


def render(results: Sequence[Result]) -> str:
    """Write the table."""
    rows = [HEAD.format(version=onnx.__version__.partition("+")[0]), totals(results), "\n\n## By operator\n\n"]
    rows += ["| operator | cases | pass | pass, stored | refused | not applicable |\n|---|---|---|---|---|---|\n"]
    for operator in sorted({r.operator for r in results}, key=str.lower):
        counts = Counter(kind(r) for r in results if r.operator == operator)
        cells = [counts[k] for k in (PASS, STORED, REFUSED, INAPPLICABLE)]
        rows.append(f"| {operator} | {sum(counts.values())} | {' | '.join(str(c or '') for c in cells)} |\n")
    rows.append("\n## By case\n\n| case | result | |\n|---|---|---|\n")
    rows += [line(r) for r in results]
    return "".join(rows)


def line(result: Result) -> str:
    """Write the row of one case."""
    notes = [f"stored: {', '.join(result.stored)}"] if result.stored and result.status == PASS else []
    notes += ["no batch"] if result.whole else []
    notes += [result.reason.replace("|", "/")] if result.reason and result.status != PASS else []
    return f"| {result.name} | {kind(result)} | {'; '.join(notes)} |\n"
