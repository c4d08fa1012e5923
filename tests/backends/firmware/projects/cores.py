"""Images on emulated cores (unicorn), as far as these tests need it: from reset until semihosting says that it ends."""

import struct
from io import BytesIO

import pytest
from elftools.elf.elffile import ELFFile

TIMEOUT = 60_000_000
"""Microseconds."""


def symbols(image: bytes) -> dict[str, tuple[int, int]]:
    """Give address and size of every symbol."""
    tables = ELFFile(BytesIO(image)).iter_sections("SHT_SYMTAB")
    return {s.name: (s["st_value"], s["st_size"]) for table in tables for s in table.iter_symbols() if s.name}


def place(image: bytes, address: int) -> int:
    """Give where in the file stands what is loaded to an address."""
    for segment in ELFFile(BytesIO(image)).iter_segments("PT_LOAD"):
        if 0 <= address - segment["p_vaddr"] < segment["p_filesz"]:
            return int(segment["p_offset"]) + address - int(segment["p_vaddr"])
    raise AssertionError(hex(address))


class Machine:
    """A core with an image in its memory."""

    def __init__(self, image: bytes, cpu: str) -> None:
        unicorn = pytest.importorskip("unicorn")
        arm, self.riscv = unicorn.arm_const, cpu.startswith(("rv", "generic"))
        if self.riscv:
            self.core = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32)
        else:
            self.core = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
            known = f"UC_CPU_ARM_{cpu.upper().replace('-', '_').removesuffix('PLUS')}"
            self.core.ctl_set_cpu_model(getattr(arm, known))
        file, self.said, self.code = ELFFile(BytesIO(image)), "", -1
        self.mapped: set[int] = set()
        for segment in file.iter_segments("PT_LOAD"):
            self._map(segment["p_vaddr"], segment["p_memsz"])
            self._map(segment["p_paddr"], segment["p_memsz"])
            self.core.mem_write(segment["p_paddr"], segment.data())
        self.symbols, self.entry = symbols(image), file.header["e_entry"]
        stack = self.symbols["_estack"][0]
        self._map(stack - 0x4000, 0x4000)
        self._map(0xE000E000, 0x1000)
        self.core.hook_add(unicorn.UC_HOOK_INTR, self._interrupt)
        self.registers = unicorn.riscv_const if self.riscv else arm
        if not self.riscv:
            self.core.reg_write(arm.UC_ARM_REG_SP, stack)

    def _map(self, address: int, size: int) -> None:
        for page in range(address & ~0xFFF, address + size, 0x1000):
            if page not in self.mapped:
                self.core.mem_map(page, 0x1000)
                self.mapped.add(page)

    def _register(self, arm: str, riscv: str) -> int:
        name = f"UC_RISCV_REG_{riscv}" if self.riscv else f"UC_ARM_REG_{arm}"
        return int(self.core.reg_read(getattr(self.registers, name)))

    def _interrupt(self, core: object, number: int, data: object) -> None:
        """Answer what the image asks by semihosting: print, or end."""
        what, address = self._register("R0", "A0"), self._register("R1", "A1")
        if what == 0x20:
            self.code = struct.unpack("<2i", self.core.mem_read(address, 8))[1]
            self.core.emu_stop()
            return
        assert what == 4, (number, what)
        while (c := self.core.mem_read(address, 1)[0]) != 0:
            self.said, address = self.said + chr(c), address + 1
        # unicorn stays at the breakpoint, and forgets that an Arm core is in Thumb state
        pc = self.registers.UC_RISCV_REG_PC if self.riscv else self.registers.UC_ARM_REG_PC
        self.core.reg_write(pc, self._register("PC", "PC") + 4 if self.riscv else self._register("PC", "PC") + 2 | 1)

    def run(self) -> int:
        """Run from reset until the image ends; give its code."""
        from unicorn import UcError

        begin = self.entry if self.riscv else self.entry | 1
        while self.code < 0:
            try:
                self.core.emu_start(begin, 0xFFFFFFFE, timeout=TIMEOUT)
                assert self.code >= 0, "the image does not end"
            except UcError:
                begin = self._register("PC", "PC")
                if not self.riscv or self.core.mem_read(begin, 4) != EBREAK:
                    raise
                self._interrupt(self.core, 3, None)  # unicorn calls no hook for it
                begin += 4
        return self.code


EBREAK = bytes.fromhex("73001000")
