"""Measuring variants of a network beside the network with the formula's tiles, in alternating rounds."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from ....graph import Graph
from ...loops.builder import make_program
from ...loops.machine import Machine
from ...loops.program import Program, calls_of
from ...loops.schedule import Tile, Tiles
from ..clock import Device, MeasuringError
from .builder import Builder, CandidateError
from .journal import Trial

ROUNDS = 5
"""Rounds in which candidates are measured; the least time of each layer counts."""
ROUND_S = 0.015
"""Seconds that a network runs in one round."""
MOST_TURNS = 300
LIMIT_S = 20.0
"""Seconds after which a candidate that does not end is given up, beside ten times what the formula takes."""


def by_layer(program: Program, figures: Sequence[float]) -> dict[str, float]:
    """Sum the seconds of the calls of each layer, in one inference."""
    found: dict[str, float] = {}
    for (call, count), seconds in zip(calls_of(program.statements), figures, strict=False):
        if call.free is not None:
            found[call.free.layer] = found.get(call.free.layer, 0.0) + seconds * count
    return found


@dataclass(frozen=True)
class Compared:
    """How long networks take: the formula's first; for each round seconds of each network."""

    rounds: tuple[tuple[float, ...], ...]

    @property
    def networks(self) -> int:
        """How many there are, the formula's included."""
        return len(self.rounds[0])

    def least(self, network: int) -> float:
        """Give the least seconds of a network."""
        return min(r[network] for r in self.rounds)

    def ratio(self, network: int) -> float:
        """Give the time of a network as a share of that with the formula's tiles: the median of the rounds."""
        return median(r[network] / r[0] for r in self.rounds)

    def wins(self, network: int) -> float:
        """Give in what share of the rounds a network was faster."""
        return sum(r[network] < r[0] for r in self.rounds) / len(self.rounds)


class Lab:
    """Compiles and measures variants of one network on one device."""

    def __init__(self, graph: Graph, machine: Machine, device: Device, builder: Builder) -> None:
        self.graph, self.machine, self.device, self.builder = graph, machine, device, builder
        self.program = make_program(graph, machine)

    def attempt(self, variants: Sequence[Mapping[str, Tile]]) -> list[Trial]:
        """Measure tiles of layers. What cannot be compiled or crashes is found by halving, and is a trial too.

        Raises MeasuringError where the network itself cannot be measured, and DeviceError.
        """
        done: list[Trial] = []
        waiting: list[list[dict[str, Tile]]] = [[dict(v) for v in variants]]
        while waiting:
            group = waiting.pop()
            try:
                found = self._measured(group)
            except CandidateError as error:
                found = [error] * len(group) if len(group) == 1 else []
                if len(group) > 1:
                    half = len(group) // 2
                    waiting += [group[:half], group[half:]]
            for variant, ratios in zip(group, found, strict=False):
                if isinstance(ratios, dict):
                    done += [Trial(layer, tile, ratios[layer]) for layer, tile in variant.items()]
                elif len(variant) == 1:
                    done += [Trial(layer, tile, None, ratios.what) for layer, tile in variant.items()]
                else:
                    pairs = list(variant.items())
                    waiting += [[dict(pairs[::2])], [dict(pairs[1::2])]]
        return done

    def _measured(self, group: Sequence[Tiles]) -> list[dict[str, float] | MeasuringError | CandidateError]:
        """Give for each variant the time of each layer as a share of that with the formula's tile, or what happened."""
        with self._open(group) as (meter, turns, limit_s):
            least: list[dict[str, float] | MeasuringError | CandidateError] = [{} for _ in range(len(group) + 1)]
            for _ in range(ROUNDS):
                for i, known in enumerate(least):
                    if isinstance(known, dict):
                        least[i] = self._round(meter, i, turns, limit_s, known)
        default, *others = least
        assert isinstance(default, dict)
        return [
            {layer: o[layer] / max(default[layer], 1e-12) for layer in o} if isinstance(o, dict) else o for o in others
        ]

    def _round(
        self, meter: Any, network: int, turns: int, limit_s: float, known: dict[str, float]
    ) -> dict[str, float] | MeasuringError:
        try:
            found = by_layer(self.program, meter.measure(network, turns, clocked=True, limit_s=limit_s))
        except MeasuringError as error:
            if network == 0:
                raise
            return error
        return {layer: min(seconds, known.get(layer, seconds)) for layer, seconds in found.items()}

    @contextmanager
    def _open(self, group: Sequence[Tiles]) -> Iterator[tuple[Any, int, float]]:
        library = self.builder.build(group)
        with self.device.open(library, self.machine) as meter:
            seconds = meter.measure(0, 3, clocked=False)[0]
            turns = max(3, min(MOST_TURNS, int(ROUND_S / seconds)))
            yield meter, turns, max(LIMIT_S, 10 * turns * seconds)

    def compare(self, variants: Sequence[Tiles], rounds: int) -> tuple[Compared, dict[str, Compared]]:
        """Measure whole networks and their layers in alternating rounds; in every other one backwards.

        Raises CandidateError, MeasuringError, DeviceError.
        """
        whole: list[tuple[float, ...]] = []
        parts: list[list[dict[str, float]]] = []
        with self._open(variants) as (meter, turns, limit_s):
            order = list(range(len(variants) + 1))
            for turn in range(rounds):
                seconds: dict[int, float] = {}
                layers: dict[int, dict[str, float]] = {}
                for i in order if turn % 2 == 0 else reversed(order):
                    seconds[i] = meter.measure(i, turns, clocked=False, limit_s=limit_s)[0]
                    figures = meter.measure(i, turns, clocked=True, limit_s=limit_s)
                    layers[i] = by_layer(self.program, figures)
                whole.append(tuple(seconds[i] for i in order))
                parts.append([layers[i] for i in order])
        each = {layer: Compared(tuple(tuple(p[layer] for p in r) for r in parts)) for layer in parts[0][0]}
        return Compared(tuple(whole)), each
