"""Designs, drawn: chains, forks and joins, skips in skips, valleys as in a U-Net; depths that stall or deadlock."""

import numpy as np

from . import stages as s
from .builder import Builder, Drawn, Stream


def drawn(seed: int) -> Drawn:
    """Draw a design."""
    rng = np.random.default_rng(seed)
    make = Builder(rng, int(rng.integers(1, 4)))
    side = int(rng.integers(4, 8))
    x = s.source(make, side, side)
    for _ in range(int(rng.integers(1, 5))):
        x = _stage(make, x, 2)
    if rng.random() < 0.4:
        x = _head(make, x)
    s.sink(make, x)
    return make.drawn()


def _head(make: Builder, x: Stream) -> Stream:
    if make.draw(0, 1):
        return s.stored(make, x, "global_pool", 1, 1)
    return s.stored(make, x, "dense", 1, 1, make.draw(1, 4))


def _stage(make: Builder, x: Stream, nested: int) -> Stream:
    """Add a stage, or a few that belong together."""
    fits = min(x.rows, x.columns)
    choices = ["each", "transpose"]
    choices += ["conv", "resource", "rows", "pool"] if fits >= 3 else []
    choices += ["pad"] if max(x.rows, x.columns) <= 6 else []
    choices += ["upsample", "resize", "more"] if max(x.rows, x.columns) <= 3 else []
    choices += ["fewer"] if x.columns % 2 == 0 else []
    choices += ["skip", "skip", "blocks"] if nested else []
    choices += ["concat"] if nested and x.rows <= 3 else []
    choices += ["valley"] if nested and fits >= 4 and x.rows % 2 == x.columns % 2 == 0 else []
    chosen = str(make.rng.choice(choices))
    if chosen in ("skip", "blocks", "valley", "concat"):
        return _branches(make, x, nested, chosen)
    if chosen in ("conv", "resource", "rows"):
        shape = {"conv": s.conv, "resource": s.conv_resource, "rows": s.conv_rows}[chosen]
        return shape(make, x, make.draw(2, 3), make.draw(1, 2), make.draw(1, 2, 4))
    return _simple(make, x, chosen)


def _simple(make: Builder, x: Stream, chosen: str) -> Stream:
    match chosen:
        case "each":
            return s.each(make, x)
        case "transpose":
            return s.stored(make, x, "transpose", x.columns, x.rows, make.draw(1, 3))
        case "resize":
            return s.stored(make, x, "resize", 2 * x.rows, 2 * x.columns)
        case "pool":
            return s.pool(make, x, 2)
        case "pad":
            return s.pad(make, x, 1)
        case "upsample":
            return s.upsample(make, x, 2)
        case _:
            return s.repack(make, x, 2, more=chosen == "more")


def _branches(make: Builder, x: Stream, nested: int, kind: str) -> Stream:
    """Fork, and join what became of the branches."""
    a, b = s.fork(make, x)
    if kind == "blocks":
        return s.blocks(make, b, s.each(make, a))
    if kind == "valley":
        low = s.pool(make, a, 2)
        for _ in range(make.draw(0, 1)):
            low = s.each(make, low)
        return s.join(make, s.upsample(make, low, 2), b)
    for _ in range(make.draw(0, 1, 2)):
        a = _same(make, a, nested - 1)
    for _ in range(make.draw(0, 1)):
        b = _same(make, b, 0)
    return s.concat(make, a, b) if kind == "concat" else s.join(make, a, b)


def _same(make: Builder, x: Stream, nested: int) -> Stream:
    """A stage, or more, whose result has the operand's size."""
    choices = ["each", "resize", "padded", "skip"] if nested else ["each", "resize", "padded"]
    match str(make.rng.choice(choices)):
        case "each":
            return s.each(make, x)
        case "resize":
            return s.stored(make, x, "resize", x.rows, x.columns)
        case "padded":
            shape = (s.conv, s.conv_resource, s.conv_rows)[make.draw(0, 1, 2)]
            return shape(make, s.pad(make, x, 1), 3, 1, make.draw(1, 2))
        case _:
            a, b = s.fork(make, x)
            return s.join(make, s.each(make, a), b)
