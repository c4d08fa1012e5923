"""Check: everything that stands between a model and a board, found without emitting anything."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from . import wording
from .boards import Board
from .boards import load as load_board
from .compiling import estimate
from .frontend import load
from .graph import GatewrightError, Graph, ManyErrors, Pairs
from .lowering import Config, keeps_floats, lower, make_config, narrowed
from .options import Choices, FirmwareChoices
from .rules import unmatched, without_effect
from .samples import read_samples
from .targets import FIRMWARE, TARGETS, TVM, back_end, find_board

T = TypeVar("T")


class Findings:
    """Problems in the order in which they were found, and notes."""

    def __init__(self) -> None:
        self.problems: list[GatewrightError] = []
        self.notes: list[str] = []

    def attempt(self, step: Callable[[], T]) -> T | None:
        """Do one step; what it complains about is a problem found, and gives None."""
        try:
            return step()
        except ManyErrors as error:
            self.problems += error.errors
        except GatewrightError as error:
            self.problems.append(error)
        return None

    def note(self, notes: Sequence[str]) -> None:
        """Add the notes that are not there yet."""
        self.notes += [n for n in dict.fromkeys(notes) if n not in self.notes]


def obstacles(
    model: Any,
    *,
    board: str | Board,
    weights: str | Path | None = None,
    precision: str | None = None,
    config: str | Path | Mapping[str, Any] | None = None,
    samples: str | Path | None = None,
    output: str = "model",
    choices: Choices | None = None,
    strict: bool = False,
    integer_only: bool = False,
    memory: str | int | None = None,
    weight_storage: str | None = None,
    states: Pairs | None = None,
) -> Findings:
    """List what stands between a model and a board: of board, options, configuration, model, samples; and the notes of
    the stages that it passed. Nothing is emitted. ``strict``: what may not fit the board's device is a problem;
    ``integer_only``: on a processor too, floats become integers; ``memory``, ``weight_storage``: what the arena of
    firmware is planned for, and how its narrow weights are stored; ``states``: as ``load`` takes them.
    """
    found = Findings()
    asked = choices or Choices()
    target = found.attempt(lambda: find_board(board))
    found.attempt(asked.check)
    firmware = FirmwareChoices(memory, weight_storage=weight_storage)
    found.attempt(firmware.check)
    settings = found.attempt(lambda: make_config(precision, config))
    graph = found.attempt(lambda: load(model, weights=weights, states=states))
    if graph is None:
        return found
    found.note(graph.notes)
    if settings is not None:
        found.problems += unmatched(settings, graph)
    given = found.attempt(lambda: read_samples(samples, graph)) if samples is not None else None
    if target is not None and target.kind == "mcu":
        found.attempt(partial(back_end(FIRMWARE).machine_of, target))
    if target is None or found.problems:
        settings, target = settings or make_config(), target or load_board("host")
    floats = keeps_floats(graph, target, settings or make_config(), integer_only=integer_only)
    integer = found.attempt(
        lambda: lower(graph, board=target, config=settings, samples=given, output=output, floats=floats)
    )
    if integer is not None:
        integer = narrowed(integer, target)
        found.note((*integer.notes, *without_effect(settings or make_config(), graph, integer)))
        _emittable(found, integer, target, settings or make_config(), asked, strict, firmware)
    return found


def _emittable(
    found: Findings,
    graph: Graph,
    board: Board,
    settings: Config,
    choices: Choices,
    strict: bool,
    firmware: FirmwareChoices,
) -> None:
    """Ask the back end of a board for what it cannot emit."""
    if board.fpga is None:
        found.note(choices.without_effect(board, settings, strict=strict))
        if board.compiler is not None and not found.problems:
            _compilable(found, graph, board, firmware)
        return
    from .backends.hls4ml import missing

    options = found.attempt(lambda: choices.options(board, settings))
    if options is None:
        return
    problems = list(missing(graph, board, options))
    found.problems += problems
    if problems or found.problems:
        return
    cost = found.attempt(lambda: estimate(graph, options, board, strict=strict))
    found.note(wording.warnings(cost or {}))


def _compilable(found: Findings, graph: Graph, board: Board, firmware: FirmwareChoices) -> None:
    """Ask the back end of a processor for what it cannot compile; the host without TVM keeps to the graph."""
    from .backends.tvm.emit import available

    assert board.compiler is not None
    if TARGETS.get(board.compiler.kind) == FIRMWARE:
        found.problems += back_end(FIRMWARE).missing(graph, board, firmware.memory, firmware.weight_storage)
    elif available() or board.name != "host":
        found.problems += back_end(TARGETS.get(board.compiler.kind, TVM)).missing(graph, board)
