"""An emulated core: functions of an image are called, memory is read and written, every instruction is counted."""

from typing import Any

from ....boards import Board
from ....graph import GatewrightError, OptionError
from .caches import caches_of
from .cores import Core, core_of
from .counter import BLOCKS, BLOCKS_FULL, FRAMES_FULL, LIMIT, UNALIGNED, Block, Counter
from .counts import Counts, Run, counts_of
from .engine import Engine
from .image import Image
from .kinds import Mix
from .memory import PAGE, Memory, check, free_page, memories_for, memories_of
from .semihosting import Host, UnknownCallError

PAINT = bytes.fromhex("a5c35a3c")
SYSTEM = 0xE000E000
"""Where Arm's M cores have their own registers, which start-up code writes to; nothing happens there."""
INSTRUCTIONS = 20_000_000_000
"""So many instructions are run at most, unless more are asked for: about ten minutes."""
BREAKPOINT_ARM, BREAKPOINT_RISCV = 7, 3
EXCEPTIONS_ARM = {
    1: "an undefined instruction", 2: "a supervisor call", 17: "no floating-point unit", 18: "a branch to Arm code",
    20: "an unaligned access",
}  # fmt: skip
EXCEPTIONS_RISCV = {
    0: "a misaligned jump", 2: "an illegal instruction", 4: "an unaligned access", 6: "an unaligned access",
}  # fmt: skip
"""What the numbers of exceptions mean."""


class FaultError(GatewrightError):
    """The program on the emulated core did what a core cannot do."""


class Emulator:
    """An image on a core, ready for calls.

    Args:
        image: the program.
        core: the core; None takes the board's.
        board: whose memories there are; without one the image gets what it needs, and a stack of 1 MiB.
        stack: the initial stack pointer; else the symbol ``_estack`` or ``__stack_top``, else the end of the memory
            that holds the data.
        code_reads: also count loads that read from read-only memory.
        caches: also simulate the caches of the board, for the misses of ``Mix``; this counts ``code_reads`` too.
        alignment: whether accesses are checked that the core cannot do; None checks on cores that fault.
        limit: instructions after which a program counts as one that does not end.

    Raises OptionError for an image that is not of this core or this board, UnsupportedError for a core that unicorn
    does not have, FaultError from the methods that run code.

    """

    def __init__(
        self, image: Image, core: Core | None = None, board: Board | None = None, *, stack: int | None = None,
        code_reads: bool = False, caches: bool = False, alignment: bool | None = None, limit: int = INSTRUCTIONS,
    ) -> None:  # fmt: skip
        if core is None:
            if board is None:
                raise OptionError("neither a core nor a board to emulate", hint="core=core('cortex-m4')")
            core = core_of(board)
        if core.arch != image.arch:
            raise OptionError(f"an image for {image.arch} does not run on {core.name}", hint="build it for this core")
        self.image, self.core = image, core
        told = _told_stack(image) if stack is None else stack
        self.memories = memories_of(board) if board is not None else memories_for(image, told)
        check(self.memories, image)
        self.trap = free_page(self.memories)
        self.host = Host()
        self._engine = Engine(core)
        self._failed: str | None = None
        self._load()
        self.stack = self._stack(told)
        self._bottom = self._paint()
        code = next((m for m in self.memories if not m.writable), Memory("", 0, 0, writable=False))
        self.counter = Counter(
            [f.address for f in image.functions], arm=core.arch == "arm", link=self._engine.link,
            status=self._engine.status, trap=self.trap, code=(code.address, code.end),
        )  # fmt: skip
        self.counter.state.limit = limit
        self._uncached = False
        if caches and board is not None:
            found = caches_of(board)
            ram = next(m for m in self.memories if m.address < self.stack <= m.end)
            cached = found.data and not any(r.kind == "dtcm" and r.name == ram.name for r in board.regions)
            self._uncached = found.loaded is None
            self.counter.keep(found, (ram.address, ram.end) if cached else (0, 0))
        checked = core.aligned if alignment is None else alignment
        self._engine.count(self.counter, reads=code_reads or caches, alignment=checked)
        self._engine.watch(self._invalid, self._interrupt)

    # Memory

    def read(self, place: str | int, size: int | None = None) -> bytes:
        """Give the bytes of a symbol, or ``size`` bytes at it or at an address."""
        address, size = self._place(place, size)
        try:
            return bytes(self._engine.uc.mem_read(address, size))
        except self._engine.error:
            raise OptionError(f"no {size:,} bytes of memory at {self.image.place(address)}") from None

    def write(self, place: str | int, data: bytes) -> None:
        """Write bytes to a symbol or an address. Raises OptionError where they are more than the symbol has."""
        address, size = self._place(place, None if isinstance(place, str) else len(data))
        if len(data) > size:
            raise OptionError(f"{len(data):,} bytes do not fit into {place}, which has {size:,}")
        try:
            self._engine.uc.mem_write(address, data)
        except self._engine.error:
            raise OptionError(f"no {len(data):,} bytes of memory at {self.image.place(address)}") from None

    def _place(self, place: str | int, size: int | None) -> tuple[int, int]:
        if isinstance(place, int):
            return place, 4 if size is None else size
        symbol = self.image.symbol(place)
        return symbol.address, symbol.size if size is None else size

    def _load(self) -> None:
        uc = self._engine.uc
        for m in self.memories:
            begin, end = m.address // PAGE * PAGE, -(-m.end // PAGE) * PAGE
            uc.mem_map(begin, end - begin, self._engine.everything if m.writable else self._engine.read_only)
        uc.mem_map(self.trap, PAGE, self._engine.read_only)
        if self._engine.arm:
            uc.mem_map(SYSTEM, PAGE, self._engine.everything)
        for s in self.image.segments:
            if s.data:
                uc.mem_write(s.origin, s.data)
                uc.mem_write(s.address, s.data)

    # The stack

    def _stack(self, told: int | None) -> int:
        if told is not None:
            return told & ~7
        data = [s.address for s in self.image.segments if not s.executable and self._writable(s.address)]
        homes = [m for m in self.memories if m.writable and (m.name == "stack" or any(map(m.holds, data)))]
        homes = homes or [m for m in self.memories if m.writable]
        if not homes:
            raise OptionError("no memory for a stack", hint="[[regions]] of kind ram in the board's file")
        return homes[-1].end & ~7

    def _writable(self, address: int) -> bool:
        return any(m.writable and m.holds(address) for m in self.memories)

    def _paint(self) -> int:
        """Fill what the stack may grow into, from the end of the data below it; give the lowest address of that."""
        home = next((m for m in self.memories if m.address < self.stack <= m.end), None)
        if home is None:
            raise OptionError(f"the stack pointer 0x{self.stack:08x} stands in no memory")
        ends = [s.address + s.size for s in self.image.segments if home.holds(s.address) and s.address < self.stack]
        bottom = -(-max([home.address, *ends]) // 8) * 8
        self._engine.uc.mem_write(bottom, PAINT * ((self.stack - bottom) // 4))
        return bottom

    @property
    def stack_bytes(self) -> int:
        """Bytes of stack that were written so far, from the initial stack pointer down to the lowest of them."""
        size = self.stack - self._bottom
        seen = bytes(self._engine.uc.mem_read(self._bottom, size))
        clean = PAINT * (size // 4)
        if seen == clean:
            return 0
        low, high = 0, size // 4  # the paint is whole below the first word that differs
        step = 1 << 12
        while seen[low * 4 : low * 4 + step] == clean[:step]:
            low += step // 4
        while low < high and seen[low * 4 : low * 4 + 4] == PAINT:
            low += 1
        return size - 4 * low

    # Running

    def call(self, function: str, *arguments: int) -> int:
        """Call a function with up to four integers; give what it returns in the first register.

        Raises FaultError with the place where the program failed.
        """
        symbol = self.image.symbol(function)
        if symbol.kind == "object":
            raise OptionError(f"{function} is data, not a function")
        if len(arguments) > 4:
            raise OptionError(f"{function}: expected up to 4 arguments, got {len(arguments)}")
        self._engine.prepare(self.stack, self.trap, arguments)
        self._start(symbol.address)
        return self._engine.result()

    def boot(self) -> int:
        """Run the image from its reset handler to the end that it reports by semihosting; give the status."""
        address, stack = self.image.entry, self.stack
        if self.core.arch == "arm":
            stack, address = self.image.vectors
        self.host.status = None
        self._engine.prepare(stack, self.trap, ())
        self._start(address & ~1)
        if self.host.status is None:
            raise FaultError("the program returned from its reset handler", hint="end it with semihosting SYS_EXIT")
        return self.host.status

    @property
    def console(self) -> str:
        """What the program has printed by semihosting."""
        return self.host.text.decode("utf-8", "replace")

    def counts(self) -> Counts:
        """Give what was run since the beginning, or since ``clear``."""
        ran = [b for b in self.counter.blocks if b.count]
        runs = [Run(b.address, b.size, b.count, b.sequential, self._watched(b)) for b in ran]
        functions = zip(self.image.functions, self.counter.functions, strict=False)
        found = counts_of(self.image, self.core, runs, {s.name: (f.calls, f.inclusive) for s, f in functions})
        assert found.instructions == self.counter.state.total
        return found

    def _watched(self, b: Block) -> Mix:
        """Give what was seen of a block's loads; without a cache, each that reads from flash waits for it."""
        missed = b.code_reads if self._uncached else b.read_misses
        return Mix(
            code_reads=b.code_reads, fetch_misses=b.fetch_misses, read_misses=missed, data_misses=b.data_misses
        )

    def clear(self) -> None:
        """Forget the counts, not the state of the memory."""
        self.counter.clear()

    def _start(self, address: int) -> None:
        self._failed = None
        problem: str | None = None
        resume: int | None = address
        while resume is not None:
            try:
                self._engine.start(resume, self.trap)
                resume = None
            except self._engine.error as error:
                # on RISC-V a breakpoint ends the run
                resume = self._served() if self._failed is None and not self._engine.arm else None
                if resume is None and self.host.status is None:
                    problem = self._failed or self._engine.explain(str(error))
        self.counter.finish()
        self._complain(problem or self._failed)

    def _complain(self, problem: str | None) -> None:
        status, self.counter.state.status = self.counter.state.status, 0
        if status == LIMIT:
            limit = self.counter.state.limit
            raise FaultError(f"it did not end in {limit:,} instructions", where=self._here(), hint="a larger limit=")
        if status == UNALIGNED:
            what = f"an access to {self.image.place(self.counter.state.unaligned)}, which is no multiple of its size"
            raise FaultError(what, where=self._here(), hint=f"the {self.core.name} cannot read or write there")
        if status in (BLOCKS_FULL, FRAMES_FULL):
            what = f"more than {BLOCKS // 2:,} blocks of code" if status == BLOCKS_FULL else "calls nested too deep"
            raise FaultError(what, where=self._here())
        if problem is not None:
            raise FaultError(problem, where=self._here())

    def _here(self) -> str:
        return self.image.place(self._engine.counter_register())

    # What the engine reports

    def _invalid(self, _: Any, access: int, address: int, size: int, __: int, ___: Any) -> bool:
        self._failed = f"{self._engine.access(access)} of {size} bytes at {self.image.place(address)}, where nothing is"
        if self._writable(address) is False and any(m.holds(address) for m in self.memories):
            self._failed = f"a write of {size} bytes at {self.image.place(address)}, which is read only"
        return False

    def _interrupt(self, _: Any, number: int, __: Any) -> None:
        if number == (BREAKPOINT_ARM if self._engine.arm else BREAKPOINT_RISCV):
            resume = self._served()
            if resume is not None:
                self._engine.go(resume)
                return
            self._failed = self._failed or (None if self.host.status is not None else "a breakpoint")
        else:
            names = EXCEPTIONS_ARM if self._engine.arm else EXCEPTIONS_RISCV
            self._failed = names.get(number, f"exception {number}")
        self._engine.uc.emu_stop()

    def _served(self) -> int | None:
        """Serve a semihosting call; give where the program goes on, None where it ends or has failed."""
        call = self._engine.semihosting()
        if call is None:
            return None
        operation, parameter, resume = call
        try:
            answer = self.host.call(operation, parameter, lambda a, n: bytes(self._engine.uc.mem_read(a, n)))
        except UnknownCallError as error:
            self._failed = f"semihosting call {error}, which is not served"
            return None
        except self._engine.error:
            self._failed = "a semihosting call with an address where nothing is"
            return None
        self._engine.answer(answer)
        return resume if self.host.status is None else None


def _told_stack(image: Image) -> int | None:
    names = ("_estack", "__stack_top", "__StackTop", "_stack_top")
    return next((image.symbols[n].address for n in names if n in image.symbols), None)
