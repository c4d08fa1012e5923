"""Emulation in one go: write the inputs, call the functions, read the outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ....boards import Board
from .cores import Core
from .counts import Counts
from .image import Image
from .run import INSTRUCTIONS, Emulator


@dataclass(frozen=True)
class Result:
    """What came out: the bytes of the outputs, what each call returned, the counts of all calls together, the bytes of
    stack that were written, and what was printed.
    """

    outputs: Mapping[str, bytes]
    returned: tuple[int, ...]
    counts: Counts
    stack_bytes: int
    console: str


def emulate(
    image: Image, core: Core | None = None, *, board: Board | None = None,
    calls: Sequence[str | tuple[str, Sequence[int]]], inputs: Mapping[str, bytes] | None = None,
    outputs: Sequence[str | tuple[str, int]] = (), stack: int | None = None, code_reads: bool = False,
    limit: int = INSTRUCTIONS,
) -> Result:  # fmt: skip
    """Run functions of an image on a core, one after the other, on memory that stays.

    Args:
        image: the program.
        core: the core; None takes the board's.
        board: whose memories there are.
        calls: functions, each alone or with up to four integers.
        inputs: bytes by the symbols that they are written to before the first call.
        outputs: symbols that are read after the last one, whole or so many bytes.
        stack: the initial stack pointer, as for ``Emulator``.
        code_reads: also count loads from read-only memory.
        limit: instructions after which a program counts as one that does not end.

    Raises as ``Emulator`` does.

    """
    device = Emulator(image, core, board, stack=stack, code_reads=code_reads, limit=limit)
    for symbol, data in (inputs or {}).items():
        device.write(symbol, data)
    returned = []
    for call in calls:
        name, arguments = (call, ()) if isinstance(call, str) else call
        returned.append(device.call(name, *arguments))
    found = {}
    for output in outputs:
        name, size = (output, None) if isinstance(output, str) else output
        found[name] = device.read(name, size)
    return Result(found, tuple(returned), device.counts(), device.stack_bytes, device.console)
