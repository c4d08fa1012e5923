"""What is asked of the file of a microcontroller, and which of its memories a linker script uses.

A board with the table ``[compiler]`` gets firmware; one without stands with its figures only, and its notes say why.
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from .model import Board, Compiler, Region

PROFILES: Mapping[str, str] = {
    "cortex-m0": "thumbv6m", "cortex-m0plus": "thumbv6m", "cortex-m1": "thumbv6m", "cortex-m3": "thumbv7m",
    "cortex-m4": "thumbv7em", "cortex-m7": "thumbv7em", "cortex-m23": "thumbv8m.base", "cortex-m33": "thumbv8m.main",
    "cortex-m35p": "thumbv8m.main", "cortex-m55": "thumbv8.1m.main", "cortex-m85": "thumbv8.1m.main",
    "generic-rv32": "riscv32",
}  # fmt: skip
"""LLVM's names of the processors that firmware is written for, and the first word of their triples."""

ARM_FEATURES = frozenset([
    "8msecext", "dsp", "fp-armv8d16", "fp-armv8d16sp", "fp16", "fp64", "fullfp16", "hwdiv", "lob", "mve", "mve.fp",
    "ras", "soft-float", "strict-align", "vfp2sp", "vfp3d16sp", "vfp4d16", "vfp4d16sp",
])  # fmt: skip
RISCV_FEATURES = frozenset([
    "a", "c", "d", "e", "f", "m", "unaligned-scalar-mem", "zaamo", "zalrsc", "zba", "zbb", "zbc", "zbkb", "zbs", "zca",
    "zcb", "zcf", "zcmp", "zicsr", "zifencei", "zmmul",
])  # fmt: skip
"""LLVM's words for what cores of Arm's M profile, and of RISC-V with 32 bits, may have."""
RISCV_ABIS = ("ilp32", "ilp32e", "ilp32f", "ilp32d")
CODE = ("flash", "rom", "itcm")
DATA = ("ram", "dtcm")
Told = tuple[tuple[str | int, ...], str, str]
"""A problem: the path of the key, what was expected, what to try."""


def code_regions(board: Board) -> tuple[Region, ...]:
    """Give the memories that code and weights may stand in, the preferred one first: those of the first kind of
    ``CODE`` that the board has with an address.
    """
    for kind in CODE:
        if found := tuple(r for r in board.regions if r.kind == kind and r.address is not None):
            return found
    return ()


def data_regions(board: Board) -> tuple[Region, ...]:
    """Give the memories that the arena and the stack may stand in, in the order of the file."""
    return tuple(r for r in board.regions if r.kind in DATA and r.address is not None)


def problems(board: Board) -> Iterator[Told]:
    """Find what is well formed and yet cannot be in the file of a microcontroller."""
    yield from _overlaps(board)
    if board.compiler is not None and board.compiler.kind == "c":
        yield from _memories(board)
        yield from _compiler(board.compiler)


def _overlaps(board: Board) -> Iterator[Told]:
    placed = [(i, r, r.address) for i, r in enumerate(board.regions) if r.address is not None]
    for index, region, address in placed:
        end = address + region.size_kib.value * 1024
        if end > 1 << 32:
            yield ("regions", index, "address"), f"{region.name} ends at {end:.0f}, after the last of 32 bits", ""
        for earlier, other, start in placed:
            if earlier < index and address < start + other.size_kib.value * 1024 and start < end:
                yield ("regions", index, "address"), f"{region.name} overlaps with {other.name}", "see their sizes"


def _memories(board: Board) -> Iterator[Told]:
    code, data = code_regions(board), data_regions(board)
    for found, kinds, what in ((code, CODE, "code and weights stand in"), (data, DATA, "arena and stack stand in")):
        if not found:
            hint = f"[[regions]] with kind = {' or '.join(map(repr, kinds))}, address and size_kib"
            yield ("regions",), f"expected a memory with an address that {what}", hint


def _compiler(told: Compiler) -> Iterator[Told]:
    if told.cpu not in PROFILES:
        yield ("compiler", "cpu"), f"firmware is not written for the processor {told.cpu!r}", _near(told.cpu, PROFILES)
        return
    arch, expected = told.triple.partition("-")[0], PROFILES[told.cpu]
    if arch != expected:
        yield ("compiler", "triple"), f"expected {expected}-... for {told.cpu}, got {told.triple!r}", ""
    risc = expected == "riscv32"
    known = RISCV_FEATURES if risc else ARM_FEATURES
    for index, word in enumerate(told.features):
        if word[:1] in "+-" and word[1:] not in known:
            what = f"{told.cpu} has no feature {word[1:]!r}"
            yield ("compiler", "features", index), what, _near(word[1:], known)
    if risc and told.abi not in RISCV_ABIS:
        yield ("compiler", "abi"), f"expected one of {', '.join(RISCV_ABIS)}, got {told.abi!r}", ""
    if not risc and told.abi:
        yield ("compiler", "abi"), f"expected nothing, as the triple says it, got {told.abi!r}", ""


def _near(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"
