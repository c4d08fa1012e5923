"""Unicorn: registers by the roles that they have, hooks, faults."""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

from ....graph import OptionError, UnsupportedError
from .cores import Core
from .counter import Counter

FPU = 0x00F00000
"""Both halves of CPACR for coprocessors 10 and 11: full access."""

EBREAK, C_EBREAK = bytes.fromhex("73001000"), bytes.fromhex("0290")
ARM_CALL = bytes.fromhex("abbe")
RISCV_CALL = bytes.fromhex("1310f001" "73001000" "13507040")
"""Instructions of a semihosting call: bkpt 0xab; slli x0, x0, 31, ebreak, srai x0, x0, 7."""


class Engine:
    """One core of unicorn."""

    def __init__(self, core: Core) -> None:
        if not core.model:
            hint = f"QEMU has it: qemu-system-arm -machine {core.machine}"
            raise UnsupportedError(f"unicorn does not emulate the {core.name}", hint=hint)
        try:
            import unicorn
            from unicorn import arm_const, riscv_const
        except ImportError as error:
            what = f"unicorn, which emulates cores, cannot be imported: {error}"
            raise OptionError(what, hint="pip install 'gatewright[firmware]'") from None
        self.arm = core.arch == "arm"
        self.error: type[Exception] = unicorn.UcError
        self._unicorn = unicorn
        self._c = c = arm_const if self.arm else riscv_const
        mode = unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS if self.arm else unicorn.UC_MODE_RISCV32
        self.uc: Any = unicorn.Uc(unicorn.UC_ARCH_ARM if self.arm else unicorn.UC_ARCH_RISCV, mode)
        self.uc.ctl_set_cpu_model(getattr(c, core.model))
        self.everything, self.read_only = unicorn.UC_PROT_ALL, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
        self.link: int = c.UC_ARM_REG_LR if self.arm else c.UC_RISCV_REG_RA
        self.status: int = c.UC_ARM_REG_XPSR if self.arm else 0
        self._pc = c.UC_ARM_REG_PC if self.arm else c.UC_RISCV_REG_PC
        self._sp = c.UC_ARM_REG_SP if self.arm else c.UC_RISCV_REG_SP
        first = c.UC_ARM_REG_R0 if self.arm else c.UC_RISCV_REG_A0
        self._arguments = [first + i for i in range(4)]
        self._kept: list[Any] = []

    def count(self, counter: Counter, *, reads: bool, alignment: bool) -> None:
        """Let the counter see every block, every load for ``reads``, every load and store for ``alignment``."""
        from unicorn.unicorn_py3.unicorn import uclib

        counter.attach(uclib)
        self._kept.append(counter)
        hooks = [("gw_block", self._unicorn.UC_HOOK_BLOCK)]
        if reads:
            hooks.append(("gw_read", self._unicorn.UC_HOOK_MEM_READ))
        if alignment:
            hooks.append(("gw_aligned", self._unicorn.UC_HOOK_MEM_READ | self._unicorn.UC_HOOK_MEM_WRITE))
        for name, kind in hooks:
            handle = ctypes.c_size_t()
            state = ctypes.cast(ctypes.pointer(counter.state), ctypes.c_void_p)
            status = uclib.uc_hook_add(
                self.uc._uch, ctypes.byref(handle), kind, counter.hook(name), state, ctypes.c_uint64(1),
                ctypes.c_uint64(0),
            )  # fmt: skip
            if status:
                raise self._unicorn.UcError(status)

    def watch(self, invalid: Callable[..., bool], interrupt: Callable[..., None]) -> None:
        """Report accesses to where nothing is, and exceptions."""
        self.uc.hook_add(self._unicorn.UC_HOOK_MEM_INVALID, invalid)
        self.uc.hook_add(self._unicorn.UC_HOOK_INTR, interrupt)

    def access(self, kind: int) -> str:
        """Say in a word what an access was."""
        u = self._unicorn
        if kind in (u.UC_MEM_FETCH_UNMAPPED, u.UC_MEM_FETCH_PROT):
            return "a jump"
        return "a write" if kind in (u.UC_MEM_WRITE_UNMAPPED, u.UC_MEM_WRITE_PROT) else "a read"

    def explain(self, error: str) -> str:
        """Say what unicorn complains about; it takes RISC-V's breakpoints for invalid instructions."""
        try:
            found = bytes(self.uc.mem_read(self.counter_register(), 4))
        except self.error:
            return error
        return "a breakpoint" if not self.arm and (found == EBREAK or found[:2] == C_EBREAK) else error

    def prepare(self, stack: int, back: int, arguments: Sequence[int]) -> None:
        """Set the registers of a call."""
        self.uc.reg_write(self._sp, stack)
        self.uc.reg_write(self.link, back | int(self.arm))
        for register, value in zip(self._arguments, arguments, strict=False):
            self.uc.reg_write(register, value & 0xFFFFFFFF)
        if self.arm and hasattr(self._c, "UC_ARM_REG_C1_C0_2"):
            self.uc.reg_write(self._c.UC_ARM_REG_C1_C0_2, FPU)

    def start(self, address: int, until: int) -> None:
        """Run from an address until another."""
        self.uc.emu_start(address | int(self.arm), until)

    def result(self) -> int:
        """Give the first register."""
        return int(self.uc.reg_read(self._arguments[0]))

    def counter_register(self) -> int:
        """Give the program counter."""
        return int(self.uc.reg_read(self._pc)) & (~1 if self.arm else ~0)

    def semihosting(self) -> tuple[int, int, int] | None:
        """Give the operation and the parameter of a semihosting call and where the program goes on after it; None where
        the breakpoint is none.
        """
        pc = self.counter_register()
        operation, parameter = (int(self.uc.reg_read(r)) for r in self._arguments[:2])
        before = 0 if self.arm else len(RISCV_CALL) // 3
        expected = ARM_CALL if self.arm else RISCV_CALL
        try:
            found = bytes(self.uc.mem_read(pc - before, len(expected)))
        except self.error:
            return None
        return (operation, parameter, pc + (2 if self.arm else 4)) if found == expected else None

    def answer(self, value: int) -> None:
        """Set the first register."""
        self.uc.reg_write(self._arguments[0], value)

    def go(self, address: int) -> None:
        """Set the program counter."""
        self.uc.reg_write(self._pc, address | int(self.arm))
