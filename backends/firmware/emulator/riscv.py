"""RISC-V with 32 bits: how long an instruction is, and what it does.

Source of the encodings: The RISC-V Instruction Set Manual, volume I (RV32I, M, A, F, D, C, Zcb, Zcmp); only what tells
the classes of ``kinds`` apart is looked at.
"""

from .kinds import Instruction, Kind

LINKS = (1, 5)
"""The registers that hold return addresses: ra, t0."""
PUSHED = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13)
"""Registers that cm.push saves, by its list less 4."""


def decode(code: bytes, at: int, address: int) -> Instruction:
    """Decode the instruction at offset ``at`` of ``code``, which stands at ``address``."""
    first = int.from_bytes(code[at : at + 2], "little")
    if first & 3 == 3:
        return _long(int.from_bytes(code[at : at + 4], "little"), address)
    return (_quadrant0, _quadrant1, _quadrant2)[first & 3](first, address)


def _long(w: int, address: int) -> Instruction:
    """Decode 32 bits."""
    rd, rs1, three = w >> 7 & 31, w >> 15 & 31, w >> 12 & 7
    match w & 0x7F:
        case 0x03 | 0x07:
            return Instruction(4, Kind.LOAD, 2 if w & 0x7F == 7 and three == 3 else 1)
        case 0x23 | 0x27:
            return Instruction(4, Kind.STORE, 2 if w & 0x7F == 0x27 and three == 3 else 1)
        case 0x2F:
            return Instruction(4, Kind.LOAD, 1)
        case 0x33 if w >> 25 == 1:
            return Instruction(4, (Kind.MULTIPLY, *[Kind.MULTIPLY_LONG] * 3, *[Kind.DIVIDE] * 4)[three])
        case 0x63:
            value = w >> 31 << 12 | (w >> 7 & 1) << 11 | (w >> 25 & 63) << 5 | (w >> 8 & 15) << 1
            return Instruction(4, Kind.CONDITIONAL, target=address + _signed(value, 13))
        case 0x67:
            return Instruction(4, _jump(rd, rs1))
        case 0x6F:
            value = w >> 31 << 20 | (w >> 12 & 255) << 12 | (w >> 20 & 1) << 11 | (w >> 21 & 1023) << 1
            return Instruction(4, Kind.CALL if rd in LINKS else Kind.BRANCH, target=address + _signed(value, 21))
        case 0x0F | 0x73:
            return Instruction(4, Kind.SYSTEM)
        case 0x43 | 0x47 | 0x4B | 0x4F:
            return Instruction(4, Kind.FLOAT_MULTIPLY_ADD)
        case 0x53:
            return Instruction(4, Kind.FLOAT_DIVIDE if w >> 27 in (3, 11) else Kind.FLOAT)
    return Instruction(4, Kind.ALU)


def _jump(rd: int, rs1: int) -> Kind:
    if rd in LINKS:
        return Kind.INDIRECT_CALL
    return Kind.RETURN if rs1 in LINKS else Kind.INDIRECT


def _quadrant0(w: int, _: int) -> Instruction:
    match w >> 13:
        case 0:
            return Instruction(2, Kind.ALU if w else Kind.SYSTEM)
        case 1 | 2 | 3:
            return Instruction(2, Kind.LOAD, 2 if w >> 13 == 1 else 1)
        case 4:  # Zcb: lbu, lhu, lh, sb, sh
            return Instruction(2, Kind.STORE if w >> 11 & 1 else Kind.LOAD, 1)
    return Instruction(2, Kind.STORE, 2 if w >> 13 == 5 else 1)


def _quadrant1(w: int, address: int) -> Instruction:
    match w >> 13:
        case 1 | 5:
            value = (
                (w >> 12 & 1) << 11 | (w >> 11 & 1) << 4 | (w >> 9 & 3) << 8 | (w >> 8 & 1) << 10 | (w >> 7 & 1) << 6
                | (w >> 6 & 1) << 7 | (w >> 3 & 7) << 1 | (w >> 2 & 1) << 5
            )  # fmt: skip
            return Instruction(2, Kind.CALL if w >> 13 == 1 else Kind.BRANCH, target=address + _signed(value, 12))
        case 6 | 7:
            value = (w >> 12 & 1) << 8 | (w >> 10 & 3) << 3 | (w >> 5 & 3) << 6 | (w >> 3 & 3) << 1 | (w >> 2 & 1) << 5
            return Instruction(2, Kind.CONDITIONAL, target=address + _signed(value, 9))
        case 4 if w & 0xFC60 == 0x9C40:  # Zcb: c.mul
            return Instruction(2, Kind.MULTIPLY)
    return Instruction(2, Kind.ALU)


def _quadrant2(w: int, _: int) -> Instruction:
    rs1, rs2 = w >> 7 & 31, w >> 2 & 31
    match w >> 13:
        case 1 | 2 | 3:
            return Instruction(2, Kind.LOAD, 2 if w >> 13 == 1 else 1)
        case 4 if rs2 == 0 and w >> 12 & 1:
            return Instruction(2, Kind.INDIRECT_CALL if rs1 else Kind.SYSTEM)
        case 4 if rs2 == 0:
            return Instruction(2, Kind.RETURN if rs1 in LINKS else Kind.INDIRECT)
        case 5 if w & 0xF800 == 0xB800:  # Zcmp
            return _push_or_pop(w)
        case 5 | 6 | 7:
            return Instruction(2, Kind.STORE, 2 if w >> 13 == 5 else 1)
    return Instruction(2, Kind.ALU)


def _push_or_pop(w: int) -> Instruction:
    words = PUSHED[max((w >> 4 & 15) - 4, 0)]
    match w >> 8 & 7:
        case 0:
            return Instruction(2, Kind.STORE_MULTIPLE, words)
        case 2:
            return Instruction(2, Kind.LOAD_MULTIPLE, words)
        case _:
            return Instruction(2, Kind.RETURN_POP, words)


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value
