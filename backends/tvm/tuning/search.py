"""Which tiles of a layer are tried next: all of them where they are few or there is time, else as Optuna proposes."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from ....graph import OptionError
from ...loops.schedule import Free, Tile

FEW = 40
"""Tiles that are all tried, the formula's best first."""
FIRST = 12
"""Of more tiles, how many of the formula's best are tried before Optuna is asked."""
WORST = 10.0
"""The ratio that stands for a tile that cannot be measured."""


@dataclass(eq=False)
class Search:
    """The tiles of one layer, whose share of the network's time is ``share``; ``ratios``: what was measured of each
    (None: it failed).
    """

    free: Free
    share: float
    everything: bool
    ratios: dict[Tile, float | None] = field(default_factory=dict)
    asked: set[Tile] = field(default_factory=set)

    @property
    def left(self) -> list[Tile]:
        """What was not asked for yet, the formula's best first. The formula's own tile needs no trial."""
        return [t for t in self.free.tiles if t not in self.asked and t != self.free.default]

    def tell(self, tile: Tile, ratio: float | None) -> None:
        """Note what was measured."""
        self.ratios[tile] = ratio
        self.asked.add(tile)

    def ask(self, count: int, seed: int = 0) -> list[Tile]:
        """Give the next tiles to try, each once."""
        left = self.left
        if not self.everything and len(self.free.tiles) > FEW and len(self.asked) >= FIRST:
            proposed = _proposed(self.free, self.ratios, set(left), count, seed + len(self.asked))
            left = [*proposed, *(t for t in left if t not in proposed)]
        elif not self.everything and len(self.free.tiles) > FEW:
            count = min(count, FIRST - len(self.asked))
        chosen = left[:count]
        self.asked.update(chosen)
        return chosen

    def best(self, count: int, below: float) -> list[Tile]:
        """Give the tiles that took the least time, below a share of the formula's."""
        found = sorted((r, i, t) for i, (t, r) in enumerate(self.ratios.items()) if r is not None and r < below)
        return [t for _, _, t in found[:count]]


def _proposed(free: Free, ratios: dict[Tile, float | None], left: set[Tile], count: int, seed: int) -> list[Tile]:
    """Ask Optuna's tree-structured Parzen estimator (J. Bergstra et al., Algorithms for Hyper-Parameter Optimization,
    NeurIPS 2011), which has been told all that is known.
    """
    import optuna

    tiles = free.tiles
    spaces: dict[str, Any] = {
        name: optuna.distributions.CategoricalDistribution(sorted({getattr(t, name) for t in tiles}))
        if name in ("lanes", "panels_outside", "windows", "unit")
        else optuna.distributions.IntDistribution(1, max(getattr(t, name) for t in tiles))
        for name in ("rows", "vectors", "lanes", "panels_outside", "windows", "unit")
    }
    found: list[Tile] = []
    with quiet():
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
        study = optuna.create_study(sampler=sampler)
        for tile, ratio in {**ratios, free.default: 1.0}.items():
            values = {name: getattr(tile, name) for name in spaces}
            value = WORST if ratio is None else ratio
            study.add_trial(optuna.trial.create_trial(params=values, distributions=spaces, value=value))
        for _ in range(10 * count):
            asked = study.ask(spaces)
            tile = Tile(**asked.params)
            if tile in left and tile not in found:
                found.append(tile)
            else:  # what was tried, or no registers would hold
                study.tell(asked, ratios.get(tile) or WORST)
            if len(found) == count:
                break
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's log and its notes on experimental parts to itself."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def next_batch(searches: Sequence[Search], trials: int, width: int) -> list[dict[str, Tile]]:
    """Share ``trials`` among layers by their time (D'Hondt's method), at most ``width`` each; give them as variants of
    the network, each with one new tile for some of its layers.
    """
    counts = dict.fromkeys(searches, 0)
    for _ in range(trials):
        open_ones = [s for s in searches if counts[s] < min(width, len(s.left))]
        if not open_ones:
            break
        best = max(open_ones, key=lambda s: s.share / (1 + len(s.asked) + counts[s]))
        counts[best] += 1
    variants: list[dict[str, Tile]] = [{} for _ in range(width)]
    for search, count in counts.items():
        for variant, tile in zip(variants, search.ask(count), strict=False):
            variant[search.free.layer] = tile
    return [v for v in variants if v]


def check_optuna(searches: Sequence[Search]) -> None:
    """Raise OptionError where Optuna is needed and not installed."""
    large = any(len(s.free.tiles) > FEW for s in searches if not s.everything)
    if large and find_spec("optuna") is None:
        total = sum(len(s.free.tiles) for s in searches)
        hint = f"pip install 'gatewright[explore]', or --trials {total}: every tile is tried then"
        raise OptionError("a search that does not try everything needs the package optuna", hint=hint)
