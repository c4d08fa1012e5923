"""A project on QEMU, for the cores that unicorn does not have: outputs, and every instruction by layer.

QEMU's machine has other memories than the board, so the project's library is linked anew, with a program that reads
what it shall do, and on what, from memory, and prints what came out. Each run is a process of QEMU's own.
"""

import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...boards import Board
from ...graph import FileError, NDArray
from ..zig import zig
from .board_files import SCRIPT, board_files, read
from .build import FLAGS, LINK, machine_in
from .device import LayerCount, core_in, has_time, layer_counts, port_array, port_bytes, wrong_at
from .memory_map import MemoryMap, Span
from .toolchain import OPTIMIZE, toolchain

if TYPE_CHECKING:
    from .emulator import Mix, QemuResult

CODE = Span("CODE", "flash", 0x60000000, 0x4000000)
DATA = Span("DATA", "ram", 0x64000000, 0x4000000)
MAIL = 0x68000000
"""Thirds of the DRAM of mps3-an547: for code and constants, for arena and stack, for what the program reads."""
MEMORIES = MemoryMap(CODE, DATA, DATA, (CODE, DATA))
PAINT = 0x3C5AC3A5
PAINTED = 16384
"""Words below the stack's beginning, and what they hold before a run."""


class QemuDevice:
    """A project's library on QEMU's core of its kind; used as ``Device`` is."""

    def __init__(self, project: Mapping[str, bytes], description: Mapping[str, Any]) -> None:
        self.description, self.core = description, core_in(description)
        path = f"image/lib{description['name']}.a"
        if path not in project:
            raise FileError("is not there", where=path, hint="compile again")
        self._image = _linked(project, path, description)
        if has_time(description) and (layer := wrong_at(description, self._run(_mail(1)).status)) is not None:
            raise FileError(f"the library's self-test fails at {layer}", where=path, hint="compile again")
        self.inferences, self.stack_bytes = 0, 0
        self._first: bytes | None = None
        self.begin()

    def begin(self) -> None:
        """Set the states to what they begin with."""
        self._states = b""

    def _run(self, mail: bytes, *, within: Sequence[str] = ()) -> "QemuResult":
        from .emulator import run_qemu

        return run_qemu(self._image, self.core, data={MAIL: mail}, count=bool(within), within=within)

    @property
    def engine(self) -> str:
        """Name it for reports."""
        return f"firmware on QEMU's {self.core.name}"

    @property
    def counted(self) -> str:
        """Say who counted its instructions."""
        return f"counted by QEMU on the memories of {self.core.machine}"

    def run(self, inputs: Sequence[NDArray]) -> tuple[list[NDArray], int]:
        """Run once on stored numbers [*shape] an input; give the outputs and the network's status."""
        mail = self._asks(inputs)
        self._first = self._first or mail
        answer = bytes.fromhex(self._run(mail).console)
        status, stack = np.frombuffer(answer[:8], "<i4")
        self.inferences += 1
        self.stack_bytes = max(self.stack_bytes, int(stack))
        at = 8 + sum(state["bytes"] for state in self.description["states"])
        self._states = answer[8:at]
        outputs = []
        for port in self.description["outputs"]:
            size = port_bytes(port)
            outputs.append(port_array(port, answer[at : at + size]))
            at += size
        return outputs, int(status)

    def _asks(self, inputs: Sequence[NDArray]) -> bytes:
        """Write the mail that asks for a run."""
        d = self.description
        values = [
            np.ascontiguousarray(v.astype(port["type"])).tobytes() for port, v in zip(d["inputs"], inputs, strict=True)
        ]
        return _mail(0, self._states, d["inputs"], d["outputs"], values)

    @cached_property
    def _counts(self) -> Mapping[str, "Mix"]:
        """What the layers, and the run beside them, took of the first inference, with all that they called."""
        from .emulator import Mix

        symbols = {layer["symbol"] for layer in self.description["layers"]}
        names = (self._entry, *sorted(symbols))
        return self._run(self._first, within=names).within if self._first is not None else dict.fromkeys(names, Mix())

    @property
    def _entry(self) -> str:
        return f"{self.description['name']}_run"

    @property
    def instructions(self) -> int:
        """Instructions of the first inference."""
        return sum(mix.instructions for mix in self._counts.values())

    @property
    def stack_bound(self) -> int:
        """Bytes of stack that a run takes at most, by the call graph."""
        from .emulator import Image, stack_bound

        return stack_bound(Image.read(self._image), self._entry, self.core).bytes

    def layers(self) -> list[LayerCount]:
        """Give what each layer ran in the first inference, in order; layers that share a function, a part each."""
        return layer_counts(self.description, {name: mix.instructions for name, mix in self._counts.items()})

    def mixes(self) -> list["Mix"]:
        """Count what each step runs, by class of instruction; of a function that layers share, what all of them run."""
        return [self._counts[layer["symbol"]] for layer in self.description["layers"]]

    def warm_mix(self, board: Board) -> "Mix":
        """Count one inference by class; what caches do is not simulated."""
        from .emulator import Mix

        return Mix.total(self._counts.values())


def _mail(
    task: int, states: bytes = b"", inputs: Sequence[Mapping[str, Any]] = (), outputs: Sequence[Mapping[str, Any]] = (),
    values: Sequence[bytes] = (),
) -> bytes:  # fmt: skip
    """Write what ``main_device.c`` reads."""
    ports = [word for port in (*inputs, *outputs) for word in (port["offset"], port_bytes(port))]
    head = np.array([task, bool(states), len(inputs), len(outputs), *ports], "<u4")
    return b"".join((head.tobytes(), states, *values))


def _linked(project: Mapping[str, bytes], library: str, description: Mapping[str, Any]) -> bytes:
    """Link a project's library with the program that answers, for QEMU's machine."""
    name, tools = description["name"], toolchain(machine_in(description))
    board = board_files(name, "QEMU", tools, MEMORIES)
    asked = read("main_device.c").decode()
    for word, value in {
        "{name}": name, "{NAME}": name.upper(), "{mail}": f"{MAIL:#x}", "{paint}": f"{PAINT:#x}",
        "{painted}": f"{PAINTED}",
    }.items():  # fmt: skip
        asked = asked.replace(word, value)
    telling, _, _ = board["main.c"].partition(b"int main(void)")
    board["main.c"] = telling + asked.encode()
    board[SCRIPT] = board[SCRIPT].replace(b".comment", b".comment .debug*")
    headers = {Path(p).name: data for p, data in project.items() if p.startswith("src/") and p.endswith(".h")}
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        folder = Path(temporary)
        for file, data in {**board, **headers, "library.a": project[library]}.items():
            (folder / file).write_bytes(data)
        units = sorted(file for file in board if file.endswith(".c"))
        for unit in units:
            zig(("cc", *tools.zig, OPTIMIZE["fastest"], *FLAGS, "-c", unit), folder)
        zig(("cc", *tools.zig, "-O2", *LINK, *(f"{u[:-2]}.o" for u in units), "library.a", "-o", "image.elf"), folder)
        return (folder / "image.elf").read_bytes()
