"""What makes a synthesis fail or never end, found before it starts."""

from collections.abc import Iterator
from math import prod

from ..design import Design, LayerSpec
from ..schedule.cores import is_resource, matrix
from .model import Finding

PARTITION = 4096
"""Elements of an array that may be partitioned completely: hls4ml sets ``config_array_partition -maximum_size`` to it
where the tool has that option (``templates/vivado/build_prj.tcl``); Vivado HLS refuses more than 1,024 by itself."""
UNROLLED = 4096
"""Products that one layer may do at once before the tools run out of memory or time."""
PACK_BITS = 4096
"""Bits of one pack of a stream: wider ones were not seen to be routed."""
SWEEP = 32 * 64
"""Products of strategy latency up to which all runs of a sweep of dense layers ended; with more, most did not."""


def limits(design: Design) -> tuple[Finding, ...]:
    """Give what the HLS tools will refuse or not finish."""
    found: list[Finding] = []
    for spec in design.layers:
        found += _layer(spec, design)
    return tuple(found)


def _layer(spec: LayerSpec, design: Design) -> Iterator[Finding]:
    if spec.op in ("dense", "conv1d", "conv2d"):
        yield from _products(spec)
    if spec.op == "kernel" and spec.size("products"):
        at_once = spec.size("products") * (1 if design.stream else max(1, spec.size("out_packs", 1)))
        if at_once / max(1, spec.reuse_factor) > UNROLLED:
            what = f"{at_once / max(1, spec.reuse_factor):,.0f} products at once, more than the tools finish"
            yield Finding("limit", what, spec.name, f"a reuse factor of {-(-at_once // UNROLLED)} or more")
    for shape in (*spec.shapes, *spec.out_shapes):
        if not design.stream and prod(shape) > PARTITION:
            what = f"an array of {prod(shape):,} elements is to be partitioned; the tools stop at {PARTITION:,}"
            yield Finding("limit", what, spec.name, "--io stream")
            break
    for shape, kind in zip(spec.out_shapes, ("output",) * len(spec.out_shapes), strict=True):
        width = spec.types[kind].width if kind in spec.types else 16
        if design.stream and shape and shape[-1] * width > PACK_BITS:
            what = f"packs of {shape[-1]} x {width} bits: wider than {PACK_BITS:,} were not seen to route"
            yield Finding("limit", what, spec.name, "fewer channels or fewer bits")


def _products(spec: LayerSpec) -> Iterator[Finding]:
    n_in, n_out = matrix(spec)
    count = n_in * n_out
    if not is_resource(spec):
        if count > UNROLLED:
            what = f"{count:,} products unrolled, more than the tools finish (a partition limit of {PARTITION:,})"
            yield Finding("limit", what, spec.name, "strategy resource with a reuse factor")
    elif count / max(1, spec.reuse_factor) > UNROLLED:
        what = f"{count / spec.reuse_factor:,.0f} multipliers at once, more than the tools finish"
        yield Finding("limit", what, spec.name, f"a reuse factor of {-(-count // UNROLLED)} or more")


__all__ = ["PARTITION", "UNROLLED", "limits"]
