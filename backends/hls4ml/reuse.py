"""Reuse factors: how many times one multiplier is used per inference, and which of them hls4ml can build.

The rule of hls4ml 1.3.0 (``backends/fpga/fpga_backend.py``) for a matrix of ``n_in`` rows and ``n_out`` columns,
strategy resource: a
factor is valid where the multipliers divide the outputs evenly, factors above ``n_in`` are whole multiples of it, and
the factor
divides all products. hls4ml takes the nearest valid one without an error; here it is computed first, so that a change
is told.
"""

from dataclasses import dataclass
from functools import cache

from .options import UNROLL_LIMIT, Options

RESOURCE_ONLY = ("oneapi", "quartus")
"""Tools for which hls4ml has the strategy resource alone; with a reuse factor of 1 it is what latency is elsewhere."""


@dataclass(frozen=True)
class Schedule:
    """How a layer's products are laid out; ``note`` says what was changed of what was asked."""

    strategy: str
    reuse_factor: int
    note: str = ""


def is_valid(n_in: int, n_out: int, factor: int) -> bool:
    """Whether a matrix product of ``n_in`` by ``n_out`` can be built with this reuse factor."""
    products = n_in * n_out
    multipliers = -(-products // min(n_in, factor))
    even = multipliers % n_out == 0 or factor >= n_in
    whole = factor % n_in == 0 or factor < n_in
    return even and whole and products % factor == 0


@cache
def valid_factors(n_in: int, n_out: int) -> tuple[int, ...]:
    """Give every valid reuse factor, ascending."""
    return tuple(f for f in range(1, n_in * n_out + 1) if n_in * n_out % f == 0 and is_valid(n_in, n_out, f))


def nearest(n_in: int, n_out: int, factor: int) -> int:
    """Give the valid reuse factor nearest to ``factor``; of two, the lesser."""
    return min(valid_factors(n_in, n_out), key=lambda f: (abs(f - factor), f))


def schedule(options: Options, layer: str, n_in: int, n_out: int, *, source: str = "") -> Schedule:
    """Choose strategy and reuse factor of a layer that multiplies a vector of ``n_in`` by a matrix [n_in, n_out].

    ``source``: what the layer is called in the source model, which is what a user's patterns are about.
    """
    names = (source or layer, layer)
    asked, factor = options.strategy_of(*names), options.reuse_of(*names)
    large = n_in * n_out > UNROLL_LIMIT
    if options.tool in RESOURCE_ONLY:
        asked = "resource"
    strategy = asked or ("resource" if large or (factor or 1) > 1 else "latency")
    if strategy == "distributed_arithmetic":
        return Schedule(strategy, 1)
    if strategy == "latency":
        note = f"{layer}: {n_in * n_out:,} products unrolled: synthesis may run out of memory" if large else ""
        return Schedule(strategy, factor or 1, note)
    least = -(-n_in * n_out // UNROLL_LIMIT)
    wanted = factor or next(f for f in valid_factors(n_in, n_out) if f >= least)
    found = nearest(n_in, n_out, wanted)
    return Schedule(strategy, found, _note(layer, asked, factor, found, n_in * n_out))


def kernel_schedule(options: Options, layer: str, products: int, packs: int, *, source: str = "") -> Schedule:
    """Choose the reuse factor of a kernel that makes each of ``packs`` packs by ``products`` multiplications.

    As streams the packs leave one after the other, as arrays at once. Any factor can be built: it is the interval of a
    pipeline whose multipliers the tool shares.
    """
    at_once = products if options.stream else products * packs
    least = -(-at_once // UNROLL_LIMIT)
    asked = options.reuse_of(layer, source)
    factor = asked or least
    note = f"{layer}: {at_once:,} products are too many to unroll, reuse factor {factor}" if least > 1 else ""
    return Schedule("latency", factor, "" if asked else note)


def _note(layer: str, asked: str | None, factor: int | None, found: int, products: int) -> str:
    if factor is not None and factor != found:
        return f"{layer}: a reuse factor of {factor} cannot be built, {found} is the nearest that can"
    if asked is None and factor is None:
        return f"{layer}: {products:,} products are too many to unroll, strategy resource with reuse factor {found}"
    return ""
