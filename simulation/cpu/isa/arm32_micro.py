"""Arm of 32 bits for the pipeline: vector registers are counted in halves (d0 to d31)."""

import re

from ..assembly import Instruction
from ..micro import Kind, Micro, once, table
from .arm32 import CONDITION, JUMPS, NAMES

REGISTER = re.compile(r"\b(r\d+|sp|lr)\b|\b([qds])(\d+)\b")
RANGE = re.compile(r"\bd(\d+)-d(\d+)\b")
TABLE = table(
    (r"^vdiv|^vsqrt", "fdiv"), (r"^v(?:add|sub|mul|mla|mls|fma|fms|max|min|abs|neg|cmp|nm\w+)\.f", "fma"),
    (r"^v(?:mul|mla|mls|mull|mlal|mlsl|qdmul\w+|qrdmul\w+)\.", "vmul"), (r"^vcvt", "convert"),
    (r"^v(?:shl|shr|rshr|sra|rsra|qshl|rshl|shll|shrn|rshrn|sli|sri|qrshrn|qshrn)\b", "shift"),
    (r"^v(?:uzp|zip|trn|ext|tbl|tbx|rev\d+|dup|movl|movn|qmovu?n|swp)\b", "shuffle"), (r"", "vec"),
)  # fmt: skip
SUMS = re.compile(r"^v(?:mla|mls|mlal|mlsl|fma|fms)\b")
READ_TOO = re.compile(r"^v(?:bsl|bif|bit|sli|sri|sra|rsra|tbx)\b|^(?:movt|bfi|bfc)")
CONDITIONAL = re.compile(rf"(?:{CONDITION})$")


class Arm32Micro:
    """A quad register is two halves."""

    def micro(self, i: Instruction) -> Micro:
        """Say what an instruction is made of."""
        name, ops = i.name, i.operands
        base, test = NAMES.get(name, (name, ""))
        if JUMPS.match(name):
            return Micro(once("branch"), frozenset({"flags"}), frozenset())
        if base in ("bl", "blx"):
            return Micro(once("call"), frozenset(), frozenset({"r0", "r1"}))
        if not ops:
            return Micro((), frozenset(), frozenset())
        if base.startswith(("ld", "st", "push", "pop", "vld", "vst", "vpush", "vpop")):
            return _memory(base, ops)
        none = base in ("cmp", "cmn", "tst", "teq") or name.startswith("vcmp")
        writes = frozenset() if none else _all(ops[0])
        reads = _all(*(ops if none or len(ops) == 1 else ops[1:]))
        sums = writes if SUMS.match(name) else frozenset()
        into_lane = "[" in ops[0]
        if test or READ_TOO.match(name) or into_lane:
            reads |= writes
        if test:
            reads |= {"flags"}
        if none or (
            base.endswith("s") and base[:-1] in ("add", "sub", "and", "orr", "rsb", "mov", "lsl", "lsr", "asr")
        ):
            writes |= {"flags"}
        kind = _kind(name, base, ops, into_lane)
        return Micro(once(kind) if kind else (), reads, writes, sums)


def _kind(name: str, base: str, ops: tuple[str, ...], into_lane: bool) -> Kind | None:
    if name.startswith("v"):
        general = any(re.match(r"^(?:r\d+|lr)$", op) for op in ops)
        if general:
            return "move"
        if into_lane:
            return "shuffle"
        return next(kind for pattern, kind in TABLE if pattern.match(name))
    if base in ("mul", "mla", "mls", "smull", "umull", "smlal", "umlal", "smmul", "smmla", "smlabb", "smulbb"):
        return "mul"
    return "int"


def _memory(name: str, ops: tuple[str, ...]) -> Micro:
    vector = name.startswith("v")
    stack = name in ("push", "pop", "vpush", "vpop")
    listed = next((op for op in ops if op.startswith("{")), ops[0])
    registers = _all(listed)
    addresses = frozenset({"sp"}) if stack else _all(*(op for op in ops if op is not listed))
    moved = addresses if any(op.endswith("!") for op in ops) else frozenset()
    loads = name.startswith(("ld", "vld", "pop", "vpop"))
    lane = "[" in listed
    count = max(1.0, len(registers) / 2)
    work: list[tuple[Kind, float]] = [("load" if loads else "store", count)]
    if vector and lane:
        work.append(("shuffle", 1.0))
    size = (8 if vector else 4) * len(registers)
    if not loads:
        return Micro(tuple(work), registers | addresses, moved, bytes=size)
    return Micro(tuple(work), addresses | (registers if lane and "[]" not in listed else frozenset()),
                 registers | moved, bytes=size)  # fmt: skip


def _all(*operands: str) -> frozenset[str]:
    found: set[str] = set()
    for op in operands:
        for a, b in RANGE.findall(op):
            found |= {f"d{k}" for k in range(int(a), int(b) + 1)}
        for general, kind, number in REGISTER.findall(op):
            if general:
                found.add(general)
            elif kind == "q":
                found |= {f"d{2 * int(number)}", f"d{2 * int(number) + 1}"}
            else:
                found.add(f"d{int(number) // 2}" if kind == "s" else f"d{number}")
    return frozenset(found)
