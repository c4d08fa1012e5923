"""Graph in, graph out: from what a framework trained to integers that a board computes."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..boards import Board
from ..boards import load as load_board
from ..graph import Fixed, Float, Graph, Inputs, OptionError, UnsupportedError, bodies, op_name, unknown
from ..graph.formats import BFLOAT, HALF
from ..graph.ops import Quantize
from .config import Config, Precision, make_config
from .inside import everywhere
from .passes.decompose import decompose
from .passes.drop_dead_channels import drop_dead_channels, like
from .passes.drop_softmax import drop_softmax
from .passes.fold_constants import fold_constants
from .passes.fold_scale import fold_scale
from .passes.make_tables import make_tables
from .passes.merge_quantizers import merge_quantizers
from .passes.narrow_floats import narrow_floats
from .passes.place_quantizers import place_quantizers
from .passes.real_outputs import real_outputs
from .passes.refuse_dynamic import refuse_dynamic
from .passes.simplify import simplify
from .passes.soften_masks import soften_masks
from .passes.split_scales import split_scales
from .passes.widen_floats import widen_floats
from .ranges import Seen, observe

Pass = Callable[[Graph, Config, Inputs | None], Graph]
Watch = Callable[[str, Graph], None]

PIPELINE: tuple[tuple[str, Pass], ...] = (
    ("refuse_dynamic", lambda g, c, x: everywhere(refuse_dynamic, g)),
    ("widen_floats", lambda g, c, x: everywhere(widen_floats, g)),
    ("fold_constants", lambda g, c, x: everywhere(fold_constants, g)),
    ("decompose", lambda g, c, x: everywhere(decompose, g)),
    ("simplify", lambda g, c, x: everywhere(simplify, g)),
    ("soften_masks", soften_masks),
    ("fold_scale", lambda g, c, x: everywhere(fold_scale, g)),
    ("split_scales", lambda g, c, x: everywhere(split_scales, g)),
    ("place_quantizers", place_quantizers),
    ("merge_quantizers", lambda g, c, x: everywhere(merge_quantizers, g)),
    ("make_tables", lambda g, c, x: everywhere(lambda h: make_tables(h, c), g)),
    ("fold_constants", lambda g, c, x: everywhere(fold_constants, g)),
)
"""What lowering does, in order."""

FLOATS: tuple[tuple[str, Pass], ...] = (
    *(
        (name, step)
        for name, step in PIPELINE
        if name in ("refuse_dynamic", "fold_constants", "simplify", "fold_scale")
    ),
    ("real_outputs", lambda g, c, x: real_outputs(g)),
)
"""What it does where floating point may stay."""


SHORT: Mapping[str, Float] = {"fp16": HALF, "bf16": BFLOAT}
"""What floats can be kept in, by the names that a user writes."""


def keeps_floats(graph: Graph, board: Board, config: Config, *, integer_only: bool = False) -> bool:
    """Say whether a graph keeps its floating-point parts on a board: processors have floats, and a model that was
    trained for fixed point, or a precision that the user names, asks for integers.
    """
    if integer_only or board.kind not in ("cpu", "gpu", "phone") or config.explicit or config.rules:
        return False
    return not any(isinstance(n.op, Quantize) and isinstance(n.op.format, Fixed) for n in graph.nodes)


def lower(
    graph: Graph,
    *,
    board: str | Board = "host",
    precision: str | Precision | None = None,
    samples: Inputs | None = None,
    config: str | Path | Mapping[str, Any] | Config | None = None,
    output: str = "model",
    floats: bool = False,
    float_format: str | None = None,
    watch: Watch = lambda name, graph: None,
) -> Graph:
    """Turn a float graph into one of integers only, ready for a back end.

    ``precision`` (``"fixed<16,6>"``) is for what the model does not quantize itself; with ``samples`` (batch first) the
    integer bits of those formats come from the values seen. ``config``: a TOML file with overrides per layer
    (docs/configuration.md). ``output="logits"`` drops a softmax at the output. With ``floats`` what
    the model computes in floating point stays so (for processors): nothing is quantized that it does not quantize
    itself; ``float_format`` ("fp16", "bf16") then says what weights and tensors in memory are rounded to. ``watch``
    sees the graph after each pass.

    Raises UnsupportedError for what has no integer form, OptionError for options that make no sense, ShapeError for
    samples that do not fit. A graph that is all integers already comes back as it is.
    """
    if isinstance(board, str):
        load_board(board)
    if output not in ("model", "logits"):
        raise OptionError(f"output {output!r}", hint="model or logits")
    settings = make_config(precision, config)
    check_short(float_format)
    if output == "logits":
        graph = drop_softmax(graph)
    if graph.is_integer:
        return graph
    for name, step in FLOATS if floats else PIPELINE:
        graph = step(graph, settings, samples)
        watch(name, graph)
    if not floats:
        return _checked(graph)
    if float_format is None:
        return graph
    return everywhere(partial(narrow_floats, format=SHORT[float_format]), graph)


def check_short(float_format: str | None) -> None:
    """Raise OptionError for what floats cannot be kept in."""
    if float_format is not None and float_format not in SHORT:
        raise unknown("format of floats", float_format, SHORT)


def narrowed(graph: Graph, board: Board) -> Graph:
    """Leave out what a board would compute for nothing: channels that hold one number whatever the input is.

    On an FPGA synthesis does so by itself, and layers keep the shapes that the model gave them.
    """
    return graph if board.fpga is not None else drop_dead_channels(graph)


def _checked(graph: Graph) -> Graph:
    """Refuse a graph in which a floating-point tensor is left."""
    for node in graph.nodes:
        for body in bodies(node.op):
            _checked(body)
        if not node.type.is_integer:
            reason = getattr(node.type.format, "note", "")
            raise UnsupportedError(
                f"{op_name(node.op)} has no integer form" + (f": {reason}" if reason else ""),
                where=node.where,
                hint="quantize its operands with fewer bits, or replace the layer",
            )
    return graph


__all__ = [
    "PIPELINE", "Config", "Precision", "Seen", "Watch", "check_short", "keeps_floats", "like", "lower",
    "make_config", "narrowed", "observe",
]  # fmt: skip
