"""Tuning: candidates are measured inside of their network, the winners again, and the whole at last."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from ....graph import Graph
from ...loops.builder import make_program
from ...loops.machine import Machine
from ...loops.program import Program, layers_of
from ...loops.schedule import Tile, Tiles
from ..clock import Device, Local, MeasuringError
from .builder import Builder, CandidateError
from .journal import Journal, Trial
from .lab import Compared, Lab
from .result import Tuned, Tuning
from .search import Search, check_optuna, next_batch

Say = Callable[[str], None]
WIDTH = 8
"""Variants of a network in one library."""
LEAST_SHARE = 0.003
"""Layers that take less of the network's time are left to the formula."""
GAIN = 0.995
"""What a layer's time has to be below, as a share of the formula's, to count as less."""
FINALISTS = 3
ROUNDS, LAST_ROUNDS = 12, 24
"""Alternating rounds in which the best of each layer, and then the whole, are compared with the formula."""
SURE = 0.75
"""In what share of the rounds something has to be faster."""


def tune(
    graph: Graph,
    machine: Machine,
    *,
    trials: int,
    device: Device | None = None,
    journal: Path | None = None,
    known: Tiles | None = None,
    seed: int = 0,
    say: Say = lambda text: None,
) -> Tuning:
    """Search the tiles of a network's layers by measuring ``trials`` of them (those in the journal included).

    ``device``: where it is measured, else on this machine; ``journal``: a file that keeps the trials, from which a
    search that was stopped goes on; ``known``: tiles that were found before, which are looked at again.
    The result is never slower than the formula's tiles: what is not faster outside of noise is left to the formula.
    Raises MeasuringError where the network itself cannot be measured, DeviceError, BuildError, FileError; OptionError
    where Optuna is needed and not installed.
    """
    where = device or Local()
    program = make_program(graph, machine)
    kept = Journal(journal, key_of(program, where.name))
    with Builder(graph, machine) as builder:
        lab = Lab(graph, machine, where, builder)
        say(f"measuring the network on {where.name}")
        searches = _searches(lab, trials)
        check_optuna(searches)
        _run(lab, searches, kept, trials, known or {}, seed, say)
        say("measuring the best again")
        best = _confirmed(lab, searches, say)
        say("comparing the whole network")
        return _whole(lab, best, known or {}, kept, say)


def key_of(program: Program, device: str) -> str:
    """Stand for all that a figure depends on: kernels and what is free in them, the machine, the device."""
    total = sha256(repr((program.machine, device)).encode())
    for kernel in program.kernels.values():
        total.update(kernel.key)
    total.update(repr([(layer, free.tiles) for layer, free in layers_of(program).items()]).encode())
    return total.hexdigest()[:16]


def _searches(lab: Lab, trials: int) -> list[Search]:
    """Give the layers that matter, each with its share of the time."""
    whole, parts = lab.compare([], 2)
    shares = {layer: each.least(0) / whole.least(0) for layer, each in parts.items()}
    free = [f for f in layers_of(lab.program).values() if shares[f.layer] >= LEAST_SHARE and len(f.tiles) > 1]
    everything = sum(len(f.tiles) - 1 for f in free) <= trials
    return [Search(f, shares[f.layer], everything) for f in free]


def _run(lab: Lab, searches: Sequence[Search], kept: Journal, trials: int, known: Tiles, seed: int, say: Say) -> None:
    """Measure until ``trials`` are done, or everything is."""
    by_layer = {s.free.layer: s for s in searches}
    _tell(by_layer, kept.trials)
    seeds = {layer: t for layer, t in known.items() if layer in by_layer and _new(by_layer[layer], t)}
    batch = [seeds] if seeds and len(kept.trials) < trials else []
    while batch or (batch := next_batch(searches, trials - len(kept.trials), WIDTH)):
        say(_progress(searches, kept, trials))
        found = lab.attempt(batch)
        kept.add(found)
        _tell(by_layer, found)
        batch = []


def _new(search: Search, tile: Tile) -> bool:
    return tile in search.left


def _tell(searches: Mapping[str, Search], trials: Sequence[Trial]) -> None:
    for trial in trials:
        if (search := searches.get(trial.layer)) is not None:
            search.tell(trial.tile, trial.ratio)


def _progress(searches: Sequence[Search], kept: Journal, trials: int) -> str:
    """Say how far it is, and what was gained if every layer's best is as good as it looks."""
    saved = sum(s.share * (1 - min((r for r in s.ratios.values() if r is not None), default=1.0)) for s in searches)
    failed = sum(t.ratio is None for t in kept.trials)
    told = f", {failed} failed" if failed else ""
    return f"tile {len(kept.trials)} of {trials}{told}; {100 * max(saved, 0):.0f} % less time so far"


def _confirmed(lab: Lab, searches: Sequence[Search], say: Say) -> dict[str, Tuned]:
    """Measure the best tiles of each layer again, beside the formula's; give those that are faster for sure."""
    finalists = {s.free.layer: s.best(FINALISTS, GAIN) for s in searches}
    variants = [{layer: tiles[k] for layer, tiles in finalists.items() if k < len(tiles)} for k in range(FINALISTS)]
    variants = [v for v in variants if v]
    if not variants:
        return {}
    if (compared := _compared(lab, variants, ROUNDS, say)) is None:
        return {}
    parts = compared[1]
    found: dict[str, Tuned] = {}
    for layer, tiles in finalists.items():
        sure = [
            (parts[layer].ratio(k), k)
            for k in range(1, len(tiles) + 1)
            if parts[layer].wins(k) >= SURE and parts[layer].ratio(k) < GAIN
        ]
        if sure:
            ratio, k = min(sure)
            found[layer] = Tuned(layer, tiles[k - 1], ratio)
    return found


def _compared(
    lab: Lab, variants: Sequence[Tiles], rounds: int, say: Say
) -> tuple[Compared, dict[str, Compared]] | None:
    """Compare networks; None where tiles that could be measured one by one cannot be so together, which is told."""
    try:
        return lab.compare(variants, rounds)
    except (MeasuringError, CandidateError) as error:
        if not variants:
            raise
        say(f"left to the formula, as the best tiles together {error.what}")
        return None


def _whole(lab: Lab, best: Mapping[str, Tuned], known: Tiles, kept: Journal, say: Say) -> Tuning:
    """Compare the whole network with the best tiles, and with those known before, with the formula's.

    Layers that are slower among the others than with the formula's tile go back to it, and it is compared once more.
    """
    own = layers_of(lab.program)
    before = {layer: t for layer, t in known.items() if layer in own and t in own[layer].tiles}
    found = {layer: t.tile for layer, t in best.items()}
    variants = [v for v in ([found] if found == before else [found, before]) if v]
    whole, parts = _last(lab, variants, say)
    if whole.networks == 1:
        variants = []
    kept_up = [{layer: t for layer, t in v.items() if parts[layer].ratio(k) < 1} for k, v in enumerate(variants, 1)]
    if kept_up != variants:
        say("comparing again, without what was slower")
        variants = [v for v in kept_up if v]
        whole, parts = _last(lab, variants, say)
    sure = [(whole.ratio(k), k) for k in range(1, whole.networks) if whole.wins(k) >= SURE and whole.ratio(k) < 1]
    taken = min(sure)[1] if sure else 0
    layers = [
        Tuned(layer, tile, round(parts[layer].ratio(taken), 4))
        for layer, tile in sorted(variants[taken - 1].items() if taken else ())
    ]
    failed = sum(t.ratio is None for t in kept.trials)
    return Tuning(
        lab.machine, lab.device.name, len(kept.trials), failed, whole.least(0), whole.least(taken), tuple(layers)
    )  # fmt: skip


def _last(lab: Lab, variants: Sequence[Tiles], say: Say) -> tuple[Compared, dict[str, Compared]]:
    """Compare in the last rounds; only the formula's network is measured where the others cannot be."""
    return _compared(lab, variants, LAST_ROUNDS, say) or lab.compare([], LAST_ROUNDS)
