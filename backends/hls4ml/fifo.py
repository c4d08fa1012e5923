"""Depths of the FIFOs of a streaming project: which variable of the generated code is which tensor, and its pragma."""

import re
from collections.abc import Mapping

from ...graph import OptionError
from .plan import Plan

CALL = re.compile(r"^ +(?:nnet|gw)::\w+<.*>\((.*)\); // (\S+)$", re.MULTILINE)
PRAGMA = re.compile(r"^( *#pragma HLS STREAM variable=(\w+) depth=)(\d+)$", re.MULTILINE)
PADDING, REPACK = "zp2d_", "repack_"
"""How hls4ml names the layers that it inserts before a convolution, and in place of a reshape."""


def variables(code: str, plan: Plan) -> dict[str, str]:
    """Give the variable of each stream between two processes, by the tensor's name; ``X_padded`` is what hls4ml's
    padding before the convolution X gives.
    """
    declared = {name for _, name, _ in PRAGMA.findall(code)}
    written = {layer.name: [wire.name for wire in layer.outputs] for layer in plan.layers}
    found: dict[str, str] = {}
    seen: set[str] = set()
    for arguments, layer in CALL.findall(code):
        fresh = [a for a in re.findall(r"\w+", arguments) if a in declared and a not in seen]
        seen.update(fresh)
        found.update(zip(_tensors(layer, written), fresh, strict=False))
    return found


def _tensors(layer: str, written: Mapping[str, list[str]]) -> list[str]:
    if layer in written:
        return written[layer]
    if layer.startswith(PADDING):
        return [f"{layer.removeprefix(PADDING)}_padded"]
    return written.get(layer.removeprefix(REPACK), [])


def depths(code: str) -> dict[str, int]:
    """Read the depths that generated code asks for, by variable."""
    return {name: int(depth) for _, name, depth in PRAGMA.findall(code)}


def with_depths(code: str, plan: Plan, wanted: Mapping[str, int]) -> str:
    """Give the code with other depths, by tensor. Raises OptionError for tensors that no FIFO carries."""
    named = variables(code, plan)
    if missing := [name for name in wanted if name not in named]:
        hint = f"FIFOs: {', '.join(sorted(named)[:8])} ..." if named else "the project has none (--io stream has)"
        raise OptionError(f"no FIFO carries {missing[0]!r}", hint=hint)
    by_variable = {named[name]: depth for name, depth in wanted.items()}
    return PRAGMA.sub(lambda m: f"{m[1]}{by_variable.get(m[2], int(m[3]))}", code)


__all__ = ["depths", "variables", "with_depths"]
