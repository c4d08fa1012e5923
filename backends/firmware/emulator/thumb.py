"""Thumb: how long an instruction is, and what it does.

Source of the encodings: Arm v8-M Architecture Reference Manual (DDI 0553), chapter C2, which holds those of v6-M and
v7-M; only what tells the classes of ``kinds`` apart is looked at.
"""

from .kinds import Instruction, Kind

PC, LR = 15, 14
LOOP_END = 0xF00F


def decode(code: bytes, at: int, address: int) -> Instruction:
    """Decode the instruction at offset ``at`` of ``code``, which stands at ``address``."""
    first = int.from_bytes(code[at : at + 2], "little")
    if first >> 11 < 0b11101:
        return _short(first, address)
    return _long(first, int.from_bytes(code[at + 2 : at + 4], "little"), address)


def _short(w: int, address: int) -> Instruction:
    """Decode 16 bits."""
    top = w >> 10
    if top < 0b010000:
        return Instruction(2, Kind.ALU)
    if top == 0b010000:
        return Instruction(2, Kind.MULTIPLY if (w >> 6) & 15 == 13 else Kind.ALU)
    if top == 0b010001:
        return _special(w)
    if w >> 12 == 0b1011:
        return _miscellaneous(w, address)
    if w >> 12 == 0b1101:
        if (w >> 8) & 15 >= 14:
            return Instruction(2, Kind.SYSTEM)
        return Instruction(2, Kind.CONDITIONAL, target=address + 4 + 2 * _signed(w, 8))
    if w >> 11 == 0b11100:
        return Instruction(2, Kind.BRANCH, target=address + 4 + 2 * _signed(w, 11))
    return _short_memory(w)


def _short_memory(w: int) -> Instruction:
    match w >> 11:
        case 0b01001:
            return Instruction(2, Kind.LOAD_LITERAL, 1)
        case 0b01010 | 0b01011:
            return Instruction(2, Kind.STORE if (w >> 9) & 7 < 3 else Kind.LOAD, 1)
        case 0b10100 | 0b10101:
            return Instruction(2, Kind.ALU)
        case 0b11000:
            return Instruction(2, Kind.STORE_MULTIPLE, (w & 0xFF).bit_count())
        case 0b11001:
            return Instruction(2, Kind.LOAD_MULTIPLE, (w & 0xFF).bit_count())
        case other:
            return Instruction(2, Kind.LOAD if other & 1 else Kind.STORE, 1)


def _special(w: int) -> Instruction:
    """ADD, CMP, MOV with high registers; BX, BLX."""
    target, source = (w & 7) | (w >> 4 & 8), (w >> 3) & 15
    match (w >> 8) & 3:
        case 3 if w & 0x80:
            return Instruction(2, Kind.INDIRECT_CALL)
        case 3:
            return Instruction(2, Kind.RETURN if source == LR else Kind.INDIRECT)
        case 2 if target == PC:
            return Instruction(2, Kind.RETURN if source == LR else Kind.INDIRECT)
        case 0 if target == PC:
            return Instruction(2, Kind.INDIRECT)
    return Instruction(2, Kind.ALU)


def _miscellaneous(w: int, address: int) -> Instruction:
    if w & 0xF500 == 0xB100:
        offset = (w >> 3 & 0x1F) << 1 | (w >> 9 & 1) << 6
        return Instruction(2, Kind.CONDITIONAL, target=address + 4 + offset)
    registers = (w & 0x1FF).bit_count()
    if w & 0xFE00 == 0xB400:
        return Instruction(2, Kind.STORE_MULTIPLE, registers)
    if w & 0xFE00 == 0xBC00:
        return Instruction(2, Kind.RETURN_POP if w & 0x100 else Kind.LOAD_MULTIPLE, registers)
    if w & 0xFF00 == 0xBF00:
        return Instruction(2, Kind.IT if w & 15 else Kind.SYSTEM)
    return Instruction(2, Kind.SYSTEM if w & 0xFF00 == 0xBE00 or w & 0xFFE0 == 0xB660 else Kind.ALU)


def _long(a: int, b: int, address: int) -> Instruction:
    """Decode 32 bits."""
    if a & 0x0400 and a & 0xE800 == 0xE800:
        return _coprocessor(a, b)
    match (a >> 11) & 3:
        case 1:
            return _long_multiple(a, b)
        case 2:
            return _long_branch(a, b, address) if b & 0x8000 else Instruction(4, Kind.ALU)
    if a & 0xFF00 == 0xFB00:
        return _multiply(a, b)
    if a & 0xFE00 == 0xF800:
        return _single(a, b)
    return Instruction(4, Kind.ALU)


def _long_multiple(a: int, b: int) -> Instruction:
    """Loads and stores of several registers, table branches; data processing with shifted registers."""
    if a & 0xFE00 == 0xEA00:
        return Instruction(4, Kind.ALU)
    load = bool(a & 0x10)
    if not a & 0x40:
        words = b.bit_count()
        if load and b & 0x8000:
            return Instruction(4, Kind.RETURN_POP, words)
        return Instruction(4, Kind.LOAD_MULTIPLE if load else Kind.STORE_MULTIPLE, words)
    if a & 0xFFF0 == 0xE8D0 and b & 0xE0 == 0:
        return Instruction(4, Kind.INDIRECT, 1)  # TBB, TBH
    if not a & 0x120:  # exclusive
        return Instruction(4, Kind.LOAD if load else Kind.STORE, 1)
    return Instruction(4, Kind.LOAD_MULTIPLE if load else Kind.STORE_MULTIPLE, 2)


def _long_branch(a: int, b: int, address: int) -> Instruction:
    if b & 0xF001 == 0xC001:  # LE, WLS, LETP, WLSTP
        offset = (b >> 1 & 0x3FF) << 2 | (b >> 11 & 1) << 1
        if a & 0xFF8F == LOOP_END:
            return Instruction(4, Kind.LOOP, target=address + 4 - offset)
        return Instruction(4, Kind.CONDITIONAL, target=address + 4 + offset)
    if b & 0xF001 == 0xE001:  # DLS
        return Instruction(4, Kind.ALU)
    sign, j1, j2 = a >> 10 & 1, b >> 13 & 1, b >> 11 & 1
    if b & 0x5000 == 0:
        if (a >> 6) & 14 == 14:
            return Instruction(4, Kind.SYSTEM)
        value = sign << 20 | j2 << 19 | j1 << 18 | (a & 0x3F) << 12 | (b & 0x7FF) << 1
        return Instruction(4, Kind.CONDITIONAL, target=address + 4 + _signed(value, 21))
    value = sign << 24 | (1 ^ j1 ^ sign) << 23 | (1 ^ j2 ^ sign) << 22 | (a & 0x3FF) << 12 | (b & 0x7FF) << 1
    return Instruction(4, Kind.CALL if b & 0x4000 else Kind.BRANCH, target=address + 4 + _signed(value, 25))


def _multiply(a: int, b: int) -> Instruction:
    which = a >> 4 & 15
    if which & 8:
        return Instruction(4, Kind.DIVIDE if which in (9, 11) else Kind.MULTIPLY_LONG)
    if which == 0:
        return Instruction(4, Kind.MULTIPLY)
    if which in (5, 6):
        return Instruction(4, Kind.MULTIPLY_LONG)
    return Instruction(4, Kind.MULTIPLY_PAIRS)


def _single(a: int, b: int) -> Instruction:
    if not a & 0x10:
        return Instruction(4, Kind.STORE, 1)
    register, base, word = b >> 12, a & 15, a & 0x60 == 0x40
    if register == PC and not word:
        return Instruction(4, Kind.SYSTEM)  # PLD and other hints
    if register == PC:
        pop = base == 13 and b & 0xFFF == 0xB04
        return Instruction(4, Kind.RETURN_POP if pop else Kind.INDIRECT, 1)
    return Instruction(4, Kind.LOAD_LITERAL if base == PC else Kind.LOAD, 1)


def _coprocessor(a: int, b: int) -> Instruction:
    """Floating point and Helium."""
    number = b >> 8 & 15
    if a & 0xFE00 == 0xEC00 and a & 0xFFE0 != 0xEC40:
        load = bool(a & 0x10)
        if number in (14, 15) or number not in (10, 11):
            return Instruction(4, Kind.VECTOR_MEMORY)
        if a & 0xFF20 == 0xED00:
            words = 1 if number == 10 else 2
            kinds = (Kind.STORE_MULTIPLE, Kind.LOAD_MULTIPLE) if words == 2 else (Kind.STORE, Kind.LOAD)
            return Instruction(4, kinds[load], words)
        return Instruction(4, Kind.LOAD_MULTIPLE if load else Kind.STORE_MULTIPLE, b & 0xFF)
    if number not in (10, 11) or a & 0xEF00 == 0xEF00:
        return Instruction(4, Kind.VECTOR)
    if a & 0xFF00 == 0xEE00 and not b & 0x10:
        return Instruction(4, _arithmetic(a, b))
    return Instruction(4, Kind.FLOAT)


def _arithmetic(a: int, b: int) -> Kind:
    which = a >> 4 & 0xB
    if which == 8 or (which == 0xB and a & 15 == 1 and b & 0xC0 == 0xC0):
        return Kind.FLOAT_DIVIDE
    if which in (0, 1, 9, 10):
        return Kind.FLOAT_MULTIPLY_ADD
    return Kind.FLOAT


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value
