"""A comparison as a table for people."""

from collections.abc import Sequence
from math import isinf
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .simulation.diff import Difference, Statistics, TensorDifference

LEGEND = (
    "Introduced: B's operations on A's values, so that no error is inherited. Excess: in units of what rounding to the "
    "formats explains (up to 5 is explained). Total: both run from the inputs."
)


def render(found: Difference, written: Sequence[Path] = (), *, narrow: bool = False) -> RenderableType:
    """Lay a comparison out: the verdict first, then a line for each tensor, then the files that were written."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("", "tensor of B", "op", "of A", *(() if narrow else ("shape", "format")), "introduced", "excess"):
        table.add_column(name, justify="right" if name in ("introduced", "excess") else "left")
    for name in ("total", "largest", *(() if narrow else ("MSE", "cosine"))):
        table.add_column(name, justify="right")
    for tensor in found.tensors:
        table.add_row(*_row(tensor, narrow), style="bold red" if tensor.differs else "")
    parts: list[RenderableType] = [_verdict(found), "", table]
    if found.left_out:
        parts += ["", Text(f"Steps of B that stand for no tensor of A: {', '.join(found.left_out[:8])}", style="dim")]
    if written:
        parts += ["", Text(f"written: {', '.join(map(str, written))}; run {written[0]} to see the first difference")]
    return Group(*parts, "", Text(LEGEND, style="dim"))


def _verdict(found: Difference) -> Text:
    text = Text(f"{found.names[1]} against {found.names[0]}, {found.samples} samples\n")
    return text.append(str(found), style="bold red" if found else "green")


def _row(tensor: TensorDifference, narrow: bool) -> list[str]:
    what = ["x".join(map(str, tensor.shape)) or "scalar", tensor.formats[1]] if not narrow else []
    total = tensor.total
    figures = [f"{total.largest:.4g}", *([] if narrow else [f"{total.mse:.3g}", f"{total.cosine:.6f}"])]
    channel = "" if tensor.channel is None else f"[{tensor.channel}]"
    return [
        "!" if tensor.differs else "",
        tensor.name + channel,
        tensor.op,
        tensor.reference,
        *what,
        _decibel(tensor.introduced),
        "exact" if tensor.excess == 0 else "not exact" if isinf(tensor.excess) else f"{tensor.excess:.2f}",
        _decibel(total),
        *figures,
    ]


def _decibel(statistics: Statistics) -> str:
    return "equal" if statistics.differing == 0 else f"{statistics.snr_db:.1f} dB"
