"""QEMU as a second opinion, and for the cores that unicorn does not have (Cortex-M55 with Helium).

QEMU runs whole programs on a board of its own: the image has to be linked for that board's memories (those of the
boards ``cortex-m4`` and so on, ``corstone-300``, ``riscv32-generic``) and to end by semihosting.
"""

import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ....graph import OptionError
from .cores import Core
from .counts import Counts, Run, counts_of
from .image import Image
from .kinds import CALLS, Mix
from .run import FaultError

PROGRAMS = {"arm": "qemu-system-arm", "riscv": "qemu-system-riscv32"}
RESET = {"mps2-an505": 0x10000000}
"""Where machines have their vectors, other than at 0."""
MPS2 = ((0, 0x400000), (0x20000000, 0x400000))
MEMORIES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "mps2-an385": MPS2, "mps2-an386": MPS2, "mps2-an500": MPS2,
    "mps2-an505": ((0x10000000, 0x400000), (0x30000000, 0x20000), (0x38000000, 0x400000)),
    "mps3-an547": ((0, 0x80000), (0x01000000, 0x200000), (0x20000000, 0x80000), (0x21000000, 0x400000),
                   (0x60000000, 0x10000000)),
    "virt": ((0x80000000, 0x8000000),),
}  # fmt: skip
"""Addresses and sizes of the memories of QEMU's machines."""
TRACE = re.compile(rb"^Trace \d+: (0x[0-9a-f]+) \[[0-9a-f]+/([0-9a-f]+)/")
LISTED = re.compile(rb"^0x([0-9a-f]+):")


@dataclass(frozen=True)
class QemuResult:
    """The status with which the program ended, what it printed, and the counts where they were asked for; ``within``:
    what the functions that were asked for ran, with all that they call.
    """

    status: int
    console: str
    counts: Counts | None = None
    within: Mapping[str, Mix] = field(default_factory=dict)


def find_qemu(core: Core) -> str | None:
    """Find QEMU for a core on the path; None where it is not installed."""
    return shutil.which(PROGRAMS[core.arch])


def run_qemu(
    image: bytes, core: Core, *, data: Mapping[int, bytes] | None = None, count: bool = False,
    within: Collection[str] = (), timeout: float = 600,
) -> QemuResult:  # fmt: skip
    """Run an image to its end.

    Args:
        image: the linked program.
        core: the core; it names QEMU's machine.
        data: bytes by the addresses that they are loaded to before the program begins, outside of the image and its
            zeroed memory.
        count: also count instructions, ten to fifty times slower: every block is logged.
        within: functions whose counts are given with those of all that they call, up to the next of these functions.
        timeout: seconds.

    Raises OptionError without QEMU or for an image that is not linked for its machine, FaultError for a program that
    does not end.

    """
    program = find_qemu(core)
    if program is None:
        hint = f"install it (Debian: apt install {PROGRAMS[core.arch].replace('riscv32', 'misc')})"
        raise OptionError(f"{PROGRAMS[core.arch]} is not on the path", hint=hint)
    with tempfile.TemporaryDirectory(prefix="gatewright-") as temporary:
        folder = Path(temporary)
        command = [program, *_arguments(core, folder), "-kernel", str(folder / "image.elf")]
        (folder / "image.elf").write_bytes(image)
        program_image = Image.read(image)
        _check(program_image, core.machine)
        loaded = dict(data or {})
        reset = RESET.get(core.machine, 0)
        if core.arch == "arm" and not program_image.bytes_at(reset, 8):
            loaded[reset] = b"".join(word.to_bytes(4, "little") for word in program_image.vectors)
        for index, (address, values) in enumerate(loaded.items()):
            (folder / f"data{index}").write_bytes(values)
            command += ["-device", f"loader,file={folder / f'data{index}'},addr={address:#x},force-raw=on"]
        log = _Log(program_image, core, within) if count else None
        status = _run([*command, *(["-d", "in_asm,exec,nochain"] if count else [])], log, timeout)
        console = (folder / "console").read_bytes().decode("utf-8", "replace")
    return QemuResult(status, console) if log is None else QemuResult(status, console, log.counts(), log.parts())


def _check(image: Image, machine: str) -> None:
    """Raise OptionError where QEMU's machine has no memory for a part of an image: it would run on for ever."""
    for s in image.segments:
        if not any(start <= s.address and s.address + s.size <= start + size for start, size in MEMORIES[machine]):
            what = f"a segment of {s.size:,} bytes at 0x{s.address:08x} stands in no memory of QEMU's machine {machine}"
            hint = "link it for the board of that machine: cortex-m4, corstone-300, riscv32-generic, ..."
            raise OptionError(what, where="image", hint=hint)


def _arguments(core: Core, folder: Path) -> list[str]:
    machine = ["-machine", core.machine, *(["-cpu", core.processor, "-bios", "none"] if core.processor else [])]
    console = ["-chardev", f"file,id=console,path={folder / 'console'}"]
    return [
        *machine, "-display", "none", "-monitor", "none", "-serial", "none", *console,
        "-semihosting-config", "enable=on,target=native,chardev=console",
    ]  # fmt: skip


def _run(command: list[str], log: "_Log | None", timeout: float) -> int:
    pipe, late = subprocess.PIPE, threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=pipe) as process:
        assert process.stderr is not None
        timer = threading.Timer(timeout, stop)
        timer.start()
        try:
            said = log.read(process.stderr) if log is not None else process.stderr.read()
            status = process.wait()
        finally:
            timer.cancel()
    if late.is_set():
        raise FaultError(f"QEMU did not end within {timeout:.0f} s", hint="does the program end by semihosting?")
    if status < 0 or said.startswith(b"qemu"):
        what = said.decode("utf-8", "replace").strip().partition("\n")[0][:200] or f"signal {-status}"
        raise FaultError(f"QEMU gave up: {what}", hint="is the program linked for the memories of this machine?")
    return status


@dataclass
class _Block:
    address: int
    size: int
    instructions: int
    back: int
    """Where a call that ends it returns to; 0 where none does."""
    count: int = 0
    sequential: int = 0


@dataclass
class _Frame:
    function: str
    back: int
    since: int
    part: str


@dataclass
class _Log:
    """What QEMU's log says: each block is listed before it runs for the first time, and traced every time."""

    image: Image
    core: Core
    within: Collection[str]
    known: dict[bytes, _Block] = field(default_factory=dict)
    """blocks as they were listed, by the address of their translation"""
    blocks: dict[tuple[str, bytes], _Block] = field(default_factory=dict)
    """those that ran, apart by the function of ``within`` that they ran in, "" where it was none"""
    calls: dict[str, list[int]] = field(default_factory=dict)
    frames: list[_Frame] = field(default_factory=list)
    total: int = 0

    def read(self, lines: Iterable[bytes]) -> bytes:
        """Follow the log to its end; give what is no part of it."""
        listed, last = 0, None
        called, said = False, b""
        for line in lines:
            if line[:2] == b"0x" and (found := LISTED.match(line)):
                listed = int(found[1], 16)
            elif line[:5] == b"Trace" and (traced := TRACE.match(line)):
                known = self.known.get(traced[1])
                if known is None:
                    known = self.known[traced[1]] = self.block(int(traced[2], 16), listed)
                if last is not None and last.address + last.size == known.address:
                    last.sequential += 1
                self.follow(known, last if called else None)
                key = self.part, traced[1]
                block = self.blocks.get(key)
                if block is None:
                    block = self.blocks[key] = replace(known)
                block.count += 1
                self.total += block.instructions
                last, called = block, block.back != 0
            elif line[:5] == b"qemu:":
                said = line
        while self.frames:
            self.leave()
        return said

    def block(self, address: int, listed: int) -> _Block:
        code, at, count = self.image.bytes_at(address, max(listed - address, 0) + 4), 0, 0
        back = 0
        while at <= listed - address and at < len(code):
            i = self.core.decode(code, at, address + at)
            at += i.length
            count += 1
            back = address + at if i.kind in CALLS else 0
        return _Block(address, at, count, back)

    @property
    def part(self) -> str:
        """The function of ``within`` that runs."""
        return self.frames[-1].part if self.frames else ""

    def follow(self, block: _Block, caller: _Block | None) -> None:
        """Keep the calls that have not returned; only calls by instructions that say so begin one."""
        while self.frames and self.frames[-1].back == block.address:
            self.leave()
        if caller is not None and (home := self.image.function_at(block.address)) and home.address == block.address:
            part = home.name if home.name in self.within else self.part
            self.frames.append(_Frame(home.name, caller.back, self.total, part))
            self.calls.setdefault(home.name, [0, 0])[0] += 1

    def leave(self) -> None:
        frame = self.frames.pop()
        if all(f.function != frame.function for f in self.frames):
            self.calls[frame.function][1] += self.total - frame.since

    def counts(self) -> Counts:
        return self.counted(self.blocks.values())

    def parts(self) -> dict[str, Mix]:
        own: dict[str, list[_Block]] = {name: [] for name in self.within}
        for (part, _), block in self.blocks.items():
            if part:
                own[part].append(block)
        return {name: self.counted(blocks).mix for name, blocks in own.items()}

    def counted(self, blocks: Iterable[_Block]) -> Counts:
        runs = [Run(b.address, b.size, b.count, b.sequential) for b in blocks if b.size]
        return counts_of(self.image, self.core, runs, {name: (n, i) for name, (n, i) in self.calls.items()})
