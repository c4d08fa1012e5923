"""What projects are made for: targets, and the back end of each."""

from pathlib import Path
from typing import Any

from .boards import Board
from .boards import load as load_board
from .graph import OptionError

TVM = "tvm-llvm"
"""The target of a project for a processor."""

FIRMWARE = "firmware"
"""The target of a project for a microcontroller."""

GPUS = {kind: f"gpu-{kind}" for kind in ("cuda", "opencl", "metal", "webgpu")}
"""The targets of projects for graphics processors."""

TARGETS = {"llvm": TVM, "c": FIRMWARE, **GPUS}
"""Targets by what a board file calls its compiler; a board without one gets the graph, or an HLS project."""


def find_board(board: object) -> Board:
    """Give the board of a name or file, or the Board itself. Raises OptionError, FileError."""
    if isinstance(board, Board):
        return board
    if not isinstance(board, (str, Path)):
        raise OptionError(f"board = {board!r}", hint="a name (see gatewright boards), a TOML file, or a Board")
    return load_board(board)


def back_end(target: str) -> Any:
    """Give the back end of a target: ``emit``, ``missing``, ``machine_of``, ``Simulation``, ``verify``."""
    if target == TVM:
        from .backends import tvm

        return tvm
    if target == FIRMWARE:
        from .backends import firmware

        return firmware
    if target in GPUS.values():
        from .backends import gpu

        return gpu
    from .backends import hls4ml

    return hls4ml


WORDS = {TVM: "library", FIRMWARE: "firmware", **dict.fromkeys(GPUS.values(), "kernels")}
"""What a target's project is, in a word."""


def not_here(board: Board) -> str | None:
    """Say why this machine does not run what is compiled for a board; None where it does."""
    own = back_end(TVM if board.compiler is None else TARGETS.get(board.compiler.kind, TVM))
    found: str | None = own.not_here(own.machine_of(board))
    return found


def not_run_here(board: Board) -> str | None:
    """Say why what is compiled for a board cannot be run here, not even under an emulator; None where it can."""
    reason = not_here(board)
    if reason is None or not _has_library(board):
        return reason
    own = back_end(TVM)
    machine = own.machine_of(board)
    if own.emulated(machine):
        return None
    emulator = own.emulator_of(machine)
    return f"{reason}; with qemu-user installed, {emulator} does" if emulator else reason


def runs_emulated(board: Board) -> bool:
    """Whether a library for another processor is run under qemu."""
    return _has_library(board) and not_here(board) is not None and not_run_here(board) is None


def _has_library(board: Board) -> bool:
    return board.compiler is not None and TARGETS.get(board.compiler.kind) == TVM
