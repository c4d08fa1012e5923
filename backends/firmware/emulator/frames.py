"""How much stack a function takes for itself: what its code subtracts from the stack pointer.

All that a function's instructions may take is added up, as if every path ran: never less than it takes, and more only
where code takes and gives back several times.
"""

from ....graph import UnsupportedError
from .image import Image
from .kinds import CALLS, Instruction, Kind
from .riscv import PUSHED

Constants = dict[int, int]
"""What registers hold, as far as the instructions before say; ``ANCHOR``: the register that is the frame pointer less a
constant, or the stack pointer rounded down, ``COPY``: that the last instruction has set to the stack pointer.
"""
ANCHOR, COPY = -1, -2
BY_VARIABLE = "sets the stack pointer from a register"
NO_VARIABLE = "no arrays of variable size"
VECTORS = (Kind.VECTOR, Kind.VECTOR_MEMORY)
"""What stands between the anchor and its use: their fields name vectors, and look like registers that are written."""
WORD = 0xFFFFFFFF
SP, FRAME_POINTER, S0 = 13, 7, 8


def taken(image: Image, code: bytes, at: int, i: Instruction, address: int, known: Constants) -> int:
    """Give the bytes of stack that the instruction at offset ``at`` of ``code`` takes, keeping ``known`` up to date.

    Raises UnsupportedError where the stack pointer is moved by what only the run knows.
    """
    raw = int.from_bytes(code[at : at + i.length], "little")
    anchor, copy, before = known.pop(ANCHOR, -1), known.pop(COPY, -1), dict(known)
    anchored = -1
    if image.arch == "riscv":
        size = _riscv_short(raw, known) if i.length == 2 else _riscv_long(raw, known)
    elif i.length == 2:
        anchored = _anchored(raw, anchor)
        if raw & 0xFF87 == 0x4685 and raw >> 3 & 15 not in (FRAME_POINTER, anchor):
            raise UnsupportedError(BY_VARIABLE, hint=NO_VARIABLE)
        if raw & 0xFF78 == 0x4640 | SP << 3:  # mov
            known[COPY] = raw & 7 | raw >> 4 & 8
        size = _thumb_short(image, raw, address, known)
    else:
        size = _thumb_long(raw & 0xFFFF, raw >> 16, known)
        if raw & 0xFBFF in (0xF1A0 | FRAME_POINTER, 0xF2A0 | FRAME_POINTER):  # sub, subw
            anchored = raw >> 24 & 15
        elif copy >= 0 and raw & 0xF0E0FFFF == 0xF36F and raw >> 24 & 15 == copy:  # bfc from the lowest bit on
            anchored = copy
            size = (2 << (raw >> 16 & 31)) - 1
    written = _written(raw, i, risc=image.arch == "riscv")
    if anchored >= 0 or i.kind in VECTORS or anchor not in written:
        known[ANCHOR] = anchored if anchored >= 0 else anchor
    for register in written:
        if register in before and known[register] == before[register]:
            del known[register]
    return size


def _written(raw: int, i: Instruction, *, risc: bool) -> set[int]:
    """Give the registers that an instruction may write: rather too many than one too few."""
    if i.kind in CALLS:
        return set(range(32))
    if risc:
        return {raw >> 7 & 31} if i.length == 4 else {raw >> 7 & 31, 8 + (raw >> 2 & 7), 8 + (raw >> 7 & 7)}
    if i.kind in (Kind.LOAD_MULTIPLE, Kind.RETURN_POP):
        return set(range(16))
    if i.kind is Kind.STORE:  # its base, where it is written back
        return {raw & 15} if i.length == 4 else set()
    if i.length == 2 and raw >> 13 == 0b001:  # moves, compares, adds and subtracts eight bits, which are no register
        return {raw >> 8 & 7}
    if i.length == 2:
        return {raw & 7, raw >> 8 & 7, (raw & 7) | (raw >> 4 & 8)}
    if i.kind is Kind.LOAD and raw & 0xFE00 == 0xF800:  # one register
        return {raw >> 28 & 15, raw & 15}
    if raw & 0x8000F800 == 0xF000:  # data processing with an immediate
        return {raw >> 24 & 15}
    return {raw >> 28 & 15, raw >> 24 & 15, raw >> 16 & 15, raw & 15}


def _by_register(known: Constants, register: int, sign: int) -> int:
    if register not in known:
        what = "moves the stack pointer by a number that only a run knows"
        raise UnsupportedError(what, hint=NO_VARIABLE)
    moved = known[register] * sign & WORD
    return moved if moved < 1 << 31 else 0


def _thumb_short(image: Image, w: int, address: int, known: Constants) -> int:
    register = w >> 8 & 7
    match w >> 11:
        case 0b00100:
            known[register] = w & 0xFF
        case 0b00000 if (shifted := known.get(w >> 3 & 7)) is not None:
            known[w & 7] = shifted << (w >> 6 & 31) & WORD
        case 0b01001:
            place = (address + 4 & ~3) + 4 * (w & 0xFF)
            known[register] = int.from_bytes(image.bytes_at(place, 4), "little")
    if w & 0xFFC0 == 0x4240 and (w >> 3 & 7) in known:
        known[w & 7] = -known[w >> 3 & 7] & WORD
    if w & 0xFE00 == 0xB400:
        return 4 * (w & 0x1FF).bit_count()
    if w & 0xFF80 == 0xB080:
        return 4 * (w & 0x7F)
    if w & 0xFF87 == 0x4485:
        return _by_register(known, w >> 3 & 15, -1)
    return 0


def _anchored(w: int, anchor: int) -> int:
    """Give the register that ``w`` sets to the frame pointer less a constant: SUBS of three bits, then of eight."""
    if w & 0xFE38 == 0x1E00 | FRAME_POINTER << 3:
        return w & 7
    return anchor if w & 0xF800 == 0x3800 and w >> 8 & 7 == anchor else -1


def _thumb_long(a: int, b: int, known: Constants) -> int:
    target, immediate = b >> 8 & 15, (a >> 10 & 1) << 11 | (b >> 12 & 7) << 8 | (b & 0xFF)
    match a & 0xFBF0:
        case 0xF240:
            known[target] = (a & 15) << 12 | immediate
        case 0xF2C0:
            known[target] = known.get(target, 0) & 0xFFFF | ((a & 15) << 12 | immediate) << 16
        case 0xF040 | 0xF050 if a & 15 == 15:
            known[target] = _expanded(immediate)
    if a & 0xFBEF == 0xF1AD and target == SP:
        return _expanded(immediate)
    if a & 0xFBFF == 0xF2AD and target == SP:
        return immediate
    if a in (0xE92D, 0xE920 | SP):
        return 4 * b.bit_count()
    if a & 0xFFBF == 0xED2D:
        return 4 * (b & 0xFF)
    if a == 0xE96D:
        return 4 * (b & 0xFF)
    if a == 0xF84D and b & 0xF00 == 0xD00:
        return b & 0xFF
    if a == 0xEBAD and target == SP:
        return _by_register(known, b & 15, 1)
    return 0


def _expanded(immediate: int) -> int:
    """Expand a modified immediate (ThumbExpandImm)."""
    byte, pattern = immediate & 0xFF, immediate >> 8 & 15
    if pattern < 4:
        return (byte, byte << 16 | byte, byte << 24 | byte << 8, byte * 0x01010101)[pattern]
    value, turn = 0x80 | (immediate & 0x7F), immediate >> 7 & 31
    return (value >> turn | value << (32 - turn)) & WORD


def _riscv_short(w: int, known: Constants) -> int:
    rd, six = w >> 7 & 31, _signed((w >> 12 & 1) << 5 | (w >> 2 & 31), 6)
    match w & 3, w >> 13:
        case 1, 0 if rd == 2:
            return max(-six, 0)
        case 1, 0 if rd in known:
            known[rd] = known[rd] + six & WORD
        case 1, 2:
            known[rd] = six & WORD
        case 2, 0 if rd in known:
            known[rd] = known[rd] << (w >> 2 & 31) & WORD
        case 1, 3 if rd == 2:
            value = (w >> 12 & 1) << 9 | (w >> 6 & 1) << 4 | (w >> 5 & 1) << 6 | (w >> 3 & 3) << 7 | (w >> 2 & 1) << 5
            return max(-_signed(value, 10), 0)
        case 1, 3:
            known[rd] = six << 12 & WORD
        case 2, 4 if rd == 2 and w >> 12 & 1 and w >> 2 & 31:
            return _by_register(known, w >> 2 & 31, -1)
        case 2, 4 if rd == 2 and w >> 2 & 31 not in (0, S0):
            raise UnsupportedError(BY_VARIABLE, hint=NO_VARIABLE)
        case 2, 5 if w & 0xFF00 == 0xB800:
            return (PUSHED[max((w >> 4 & 15) - 4, 0)] * 4 + 15) // 16 * 16 + (w >> 2 & 3) * 16
    return 0


def _riscv_long(w: int, known: Constants) -> int:
    rd, rs1, rs2, immediate = w >> 7 & 31, w >> 15 & 31, w >> 20 & 31, _signed(w >> 20, 12)
    match w & 0x7F, w >> 12 & 7:
        case 0x37, _:
            known[rd] = w & 0xFFFFF000
        case 0x13, 0 if rd == 2 and rs1 == 2:
            return max(-immediate, 0)
        case 0x13, 7 if rd == 2 and rs1 == 2:  # alignment
            return max(-immediate, 0)
        case 0x13, _ if rd == 2 and rs1 != S0:
            raise UnsupportedError(BY_VARIABLE, hint=NO_VARIABLE)
        case 0x13, 0 if rs1 in known or rs1 == 0:
            known[rd] = known.get(rs1, 0) + immediate & WORD
        case 0x33, 0 if rd == 2 and rs1 == 2:
            return _by_register(known, rs2, 1 if w >> 30 & 1 else -1)
        case 0x33, _ if rd == 2:
            raise UnsupportedError(BY_VARIABLE, hint=NO_VARIABLE)
    return 0


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


__all__: list[str] = ["taken"]
